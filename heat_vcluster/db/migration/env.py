# SPDX-License-Identifier: Apache-2.0
"""What alembic runs for each upgrade; the connection is handed in."""

from alembic import context

from heat_vcluster.db import models

context.configure(
    connection=context.config.attributes['connection'],
    target_metadata=models.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
