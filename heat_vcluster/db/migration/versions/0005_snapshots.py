# SPDX-License-Identifier: Apache-2.0
"""The snapshots of clusters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
NAME = sa.String(255).with_variant(
    mysql.VARCHAR(255, collation='utf8mb4_bin'), 'mysql', 'mariadb'
)


def upgrade() -> None:
    op.create_table(
        'snapshots',
        sa.Column('id', sa.String(36), nullable=False),
        sa.Column('cluster_id', sa.String(36), nullable=False),
        sa.Column('name', NAME),
        sa.Column('status', sa.String(16), nullable=False),
        sa.Column('reason', sa.Text),
        sa.Column('document', JSON, nullable=False),
        sa.Column('parts', JSON, nullable=False),
        sa.Column('created_at', TIME, nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_snapshots'),
        sa.ForeignKeyConstraint(
            ['cluster_id'],
            ['clusters.id'],
            name='fk_snapshots_cluster_id',
            ondelete='CASCADE',
        ),
        mysql_engine='InnoDB',
        mysql_charset='utf8mb4',
    )
    op.create_index('ix_snapshots_cluster_id', 'snapshots', ['cluster_id'])
