# SPDX-License-Identifier: Apache-2.0
"""The first tables: clusters, members, holds, domains, leftovers, events."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
JSON = sa.JSON(none_as_null=True)


def _make(name: str, *columns: Any) -> None:
    op.create_table(
        name, *columns, mysql_engine='InnoDB', mysql_charset='utf8mb4'
    )


def _of_cluster(table: str) -> tuple[Any, Any]:
    return (
        sa.Column('cluster_id', sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(
            ['cluster_id'],
            ['clusters.id'],
            name=f'fk_{table}_cluster_id',
            ondelete='CASCADE',
        ),
    )


def upgrade() -> None:
    _make_clusters()
    _make_members()
    _make_holds()
    _make_domains()
    _make_leftovers()
    _make_events()


def _make_clusters() -> None:
    _make(
        'clusters',
        sa.Column('id', sa.String(36), nullable=False),
        sa.Column('name', sa.String(255)),
        sa.Column('project_id', sa.String(64), nullable=False),
        sa.Column('user_id', sa.String(64), nullable=False),
        sa.Column('document', JSON, nullable=False),
        sa.Column('plan', JSON),
        sa.Column('status', sa.String(16), nullable=False),
        sa.Column('status_reason', sa.Text),
        sa.Column('error_code', sa.String(64)),
        sa.Column('owner', sa.String(255)),
        sa.Column('lease_until', TIME),
        sa.Column('fence', sa.Integer, nullable=False),
        sa.Column('cancel_requested', sa.Boolean, nullable=False),
        sa.Column('deadline', TIME),
        sa.Column('created_at', TIME, nullable=False),
        sa.Column('updated_at', TIME, nullable=False),
        sa.Column('deleted_at', TIME),
        sa.PrimaryKeyConstraint('id', name='pk_clusters'),
    )
    op.create_index(
        'ix_clusters_project_id_created_at',
        'clusters',
        ['project_id', 'created_at'],
    )
    op.create_index('ix_clusters_status', 'clusters', ['status'])


def _make_members() -> None:
    _make(
        'members',
        *_of_cluster('members'),
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('type', sa.String(32), nullable=False),
        sa.Column('position', sa.Integer, nullable=False),
        sa.Column('desired', JSON, nullable=False),
        sa.Column('status', sa.String(16), nullable=False),
        sa.Column('reason', sa.Text),
        sa.Column('resource_id', sa.String(64)),
        sa.Column('place', sa.String(255)),
        sa.Column('domains', JSON, nullable=False),
        sa.Column('facts', JSON, nullable=False),
        sa.PrimaryKeyConstraint('cluster_id', 'name', name='pk_members'),
    )


def _make_holds() -> None:
    _make(
        'holds',
        sa.Column('id', sa.String(36), nullable=False),
        *_of_cluster('holds'),
        sa.Column('member', sa.String(255), nullable=False),
        sa.Column('place', sa.String(255), nullable=False),
        sa.Column('resources', JSON, nullable=False),
        sa.Column('state', sa.String(16), nullable=False),
        sa.Column('created_at', TIME, nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_holds'),
    )
    op.create_index('ix_holds_cluster_id', 'holds', ['cluster_id'])


def _make_domains() -> None:
    _make(
        'domains',
        *_of_cluster('domains'),
        sa.Column('scope', sa.String(64), nullable=False),
        sa.Column('real', sa.String(255), nullable=False),
        sa.Column('pseudonym', sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint(
            'cluster_id', 'scope', 'real', name='pk_domains'
        ),
        sa.UniqueConstraint(
            'cluster_id',
            'scope',
            'pseudonym',
            name='uq_domains_cluster_id_scope_pseudonym',
        ),
    )


def _make_leftovers() -> None:
    _make(
        'leftovers',
        *_of_cluster('leftovers'),
        sa.Column('kind', sa.String(32), nullable=False),
        sa.Column('thing_id', sa.String(64), nullable=False),
        sa.Column('member', sa.String(255)),
        sa.Column('reason', sa.Text, nullable=False),
        sa.Column('at', TIME, nullable=False),
        sa.PrimaryKeyConstraint(
            'cluster_id', 'kind', 'thing_id', name='pk_leftovers'
        ),
    )


def _make_events() -> None:
    _make(
        'events',
        sa.Column(
            'id',
            sa.BigInteger().with_variant(sa.Integer, 'sqlite'),
            autoincrement=True,
            nullable=False,
        ),
        *_of_cluster('events'),
        sa.Column('at', TIME, nullable=False),
        sa.Column('member', sa.String(255)),
        sa.Column('kind', sa.String(64), nullable=False),
        sa.Column('message', sa.Text, nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_events'),
    )
    op.create_index('ix_events_cluster_id_id', 'events', ['cluster_id', 'id'])
