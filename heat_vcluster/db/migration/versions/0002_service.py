# SPDX-License-Identifier: Apache-2.0
"""What a service needs: tags, metadata, held plans, trusts and limits."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
JSON = sa.JSON(none_as_null=True)


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, collation='utf8mb4_bin'), 'mysql', 'mariadb'
    )


def _make(name: str, *columns: Any) -> None:
    op.create_table(
        name, *columns, mysql_engine='InnoDB', mysql_charset='utf8mb4'
    )


#: Names of tenants and clouds, which may differ by case alone.
NAMES = (('clusters', 'name'), ('members', 'name'), ('domains', 'real'))


def upgrade() -> None:
    _tell_case_apart()
    _extend_clusters()
    _make_tags()
    _make_limits()


def _tell_case_apart() -> None:
    """Only MySQL does not do so by itself."""
    if op.get_bind().dialect.name in ('mysql', 'mariadb'):
        for table, name in NAMES:
            op.alter_column(
                table,
                name,
                type_=_exact(255),
                existing_nullable=table == 'clusters',
            )


def _extend_clusters() -> None:
    for column in (
        sa.Column('built_as', sa.String(255)),
        sa.Column('metadata', JSON),
        sa.Column(
            'wanted', sa.String(16), nullable=False, server_default='present'
        ),
        sa.Column('expires_at', TIME),
        sa.Column('claimed_at', TIME),
        sa.Column('trust_id', sa.String(64)),
        sa.Column('request_id', sa.String(255)),
    ):
        op.add_column('clusters', column)
    clusters = sa.table(
        'clusters',
        sa.column('name'),
        sa.column('built_as'),
        sa.column('status'),
        sa.column('wanted'),
    )
    op.execute(sa.update(clusters).values(built_as=clusters.c.name))
    op.execute(
        sa.update(clusters)
        .where(clusters.c.status.in_(['DELETING', 'DELETED']))
        .values(wanted='absent')
    )


def _make_tags() -> None:
    _make(
        'tags',
        sa.Column('cluster_id', sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(
            ['cluster_id'],
            ['clusters.id'],
            name='fk_tags_cluster_id',
            ondelete='CASCADE',
        ),
        sa.Column('tag', _exact(255), nullable=False),
        sa.PrimaryKeyConstraint('cluster_id', 'tag', name='pk_tags'),
    )
    op.create_index('ix_tags_tag', 'tags', ['tag'])


def _make_limits() -> None:
    _make(
        'projects',
        sa.Column('id', sa.String(64), nullable=False),
        sa.Column('turn', sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_projects'),
    )
    _make(
        'project_limits',
        sa.Column('project_id', sa.String(64), nullable=False),
        sa.Column('resource', sa.String(64), nullable=False),
        sa.Column('amount', sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint(
            'project_id', 'resource', name='pk_project_limits'
        ),
    )
