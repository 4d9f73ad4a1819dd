# SPDX-License-Identifier: Apache-2.0
"""What the upkeep of built clusters needs: what is done, what was found."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    for name in ('action', 'compliance'):
        op.add_column('clusters', sa.Column(name, JSON))
