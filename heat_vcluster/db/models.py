# SPDX-License-Identifier: Apache-2.0
"""The tables, for SQLite, PostgreSQL and MySQL alike."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData(
    naming_convention={
        'ix': 'ix_%(table_name)s_%(column_0_N_name)s',
        'uq': 'uq_%(table_name)s_%(column_0_N_name)s',
        'fk': 'fk_%(table_name)s_%(column_0_N_name)s',
        'pk': 'pk_%(table_name)s',
    }
)


class UtcDateTime(sa.types.TypeDecorator):  # type: ignore[misc]
    """Aware datetimes in Python, naive ones in UTC in the database.

    Microseconds are kept everywhere; MySQL has to be asked for them.
    """

    impl = sa.DateTime().with_variant(
        mysql.DATETIME(fsp=6), 'mysql', 'mariadb'
    )
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError('a time without a zone means nothing')
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value and value.replace(tzinfo=datetime.UTC)


def _json(name: str, *, nullable: bool = False) -> Any:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=nullable)


def _exact(length: int) -> Any:
    """Text that differs by case, in MySQL too."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, collation='utf8mb4_bin'), 'mysql', 'mariadb'
    )


def _of_cluster(**options: Any) -> Any:
    return sa.Column(
        'cluster_id',
        sa.String(36),
        sa.ForeignKey('clusters.id', ondelete='CASCADE'),
        nullable=False,
        **options,
    )


def _table(name: str, *columns: Any) -> Any:
    return sa.Table(
        name,
        metadata,
        *columns,
        mysql_engine='InnoDB',
        mysql_charset='utf8mb4',
    )


clusters = _table(
    'clusters',
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('name', _exact(255)),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('user_id', sa.String(64), nullable=False),
    # The name its things were given: a later change of name leaves them.
    sa.Column('built_as', sa.String(255)),
    _json('metadata', nullable=True),
    _json('document'),
    _json('plan', nullable=True),
    # What is done about a cluster that is built, and what a check found.
    _json('action', nullable=True),
    _json('compliance', nullable=True),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('status_reason', sa.Text),
    sa.Column('error_code', sa.String(64)),
    # The lease: who may write, until when, and which acquisition it is.
    sa.Column('owner', sa.String(255)),
    sa.Column('lease_until', UtcDateTime),
    sa.Column('fence', sa.Integer, nullable=False),
    sa.Column('cancel_requested', sa.Boolean, nullable=False),
    sa.Column(
        'wanted', sa.String(16), nullable=False, server_default='present'
    ),
    # A held plan has expires_at; creating the cluster from it clears that.
    sa.Column('expires_at', UtcDateTime),
    sa.Column('claimed_at', UtcDateTime),
    # A reference to a trust is no secret: it serves our own account only.
    sa.Column('trust_id', sa.String(64)),
    sa.Column('request_id', sa.String(255)),
    sa.Column('deadline', UtcDateTime),
    # How many changes were begun, and the one that is under way.
    sa.Column('changes', sa.Integer, nullable=False, server_default='0'),
    _json('change', nullable=True),
    sa.Column('created_at', UtcDateTime, nullable=False),
    sa.Column('updated_at', UtcDateTime, nullable=False),
    sa.Column('deleted_at', UtcDateTime),
    sa.Index(None, 'project_id', 'created_at'),
    sa.Index(None, 'status'),
)

tags = _table(
    'tags',
    _of_cluster(primary_key=True),
    sa.Column('tag', _exact(255), primary_key=True),
    sa.Index(None, 'tag'),
)

# Whoever has changed the row of a project counts alone until he commits.
projects = _table(
    'projects',
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('turn', sa.Integer, nullable=False),
)

# What an operator allows one project, other than the configuration says.
project_limits = _table(
    'project_limits',
    sa.Column('project_id', sa.String(64), primary_key=True),
    sa.Column('resource', sa.String(64), primary_key=True),
    sa.Column('amount', sa.Integer, nullable=False),
)

members = _table(
    'members',
    _of_cluster(primary_key=True),
    sa.Column('name', _exact(255), primary_key=True),
    sa.Column('type', sa.String(32), nullable=False),
    sa.Column('position', sa.Integer, nullable=False),
    _json('desired'),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('reason', sa.Text),
    sa.Column('resource_id', sa.String(64)),
    sa.Column('place', sa.String(255)),
    _json('domains'),
    _json('facts'),
    # In a change: whether it is 'coming' or 'going'; none: it is there.
    sa.Column('role', sa.String(16)),
)

holds = _table(
    'holds',
    sa.Column('id', sa.String(36), primary_key=True),
    _of_cluster(index=True),
    sa.Column('member', sa.String(255), nullable=False),
    sa.Column('place', sa.String(255), nullable=False),
    _json('resources'),
    sa.Column('state', sa.String(16), nullable=False),
    sa.Column('created_at', UtcDateTime, nullable=False),
)

# What was made of each member, or is to be: in ``parts``.
snapshots = _table(
    'snapshots',
    sa.Column('id', sa.String(36), primary_key=True),
    _of_cluster(index=True),
    sa.Column('name', _exact(255)),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('reason', sa.Text),
    _json('document'),
    _json('parts'),
    sa.Column('created_at', UtcDateTime, nullable=False),
)

# ``real`` is an operator's name: it never leaves by a tenant's door.
domains = _table(
    'domains',
    _of_cluster(primary_key=True),
    sa.Column('scope', sa.String(64), primary_key=True),
    sa.Column('real', _exact(255), primary_key=True),
    sa.Column('pseudonym', sa.String(255), nullable=False),
    sa.UniqueConstraint('cluster_id', 'scope', 'pseudonym'),
)

leftovers = _table(
    'leftovers',
    _of_cluster(primary_key=True),
    sa.Column('kind', sa.String(32), primary_key=True),
    sa.Column('thing_id', sa.String(64), primary_key=True),
    sa.Column('member', sa.String(255)),
    sa.Column('reason', sa.Text, nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
)

events = _table(
    'events',
    sa.Column(
        'id',
        sa.BigInteger().with_variant(sa.Integer, 'sqlite'),
        primary_key=True,
        autoincrement=True,
    ),
    _of_cluster(),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('member', sa.String(255)),
    sa.Column('kind', sa.String(64), nullable=False),
    sa.Column('message', sa.Text, nullable=False),
    sa.Index(None, 'cluster_id', 'id'),
)
