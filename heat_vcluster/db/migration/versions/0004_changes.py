# SPDX-License-Identifier: Apache-2.0
"""What a change of a running cluster needs."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        'clusters',
        sa.Column('changes', sa.Integer, nullable=False, server_default='0'),
    )
    op.add_column('clusters', sa.Column('change', sa.JSON(none_as_null=True)))
    op.add_column('members', sa.Column('role', sa.String(16)))
