# SPDX-License-Identifier: Apache-2.0
"""Nova's three databases, made by one process instead of five.

Arguments: ``--config-file NOVA_CONF CELL0_URL``.
"""

from __future__ import annotations

import sqlite3
import sys

from nova import monkey_patch

monkey_patch.patch(backend='threading')

from nova import config, context, objects  # noqa: E402
from nova.cmd import manage  # noqa: E402
from nova.conf import CONF  # noqa: E402
from nova.db import migration  # noqa: E402
from sqlalchemy import engine  # noqa: E402


def main() -> None:
    *arguments, cell0_url = sys.argv[1:]
    config.parse_args(['nova-manage', *arguments])
    objects.register_all()
    manage.ApiDbCommands().sync()
    cells = manage.CellV2Commands()
    cells.map_cell0(cell0_url)
    # 2: that very cell is there already.
    if cells.create_cell(name='cell1') not in (0, 2):
        raise SystemExit('nova refused to make the cell')
    _sync_cells()


def _sync_cells() -> None:
    """Both have the same schema: migrate one, copy it to the other."""
    admin = context.get_admin_context()
    cell0 = objects.CellMapping.get_by_uuid(
        admin, objects.CellMapping.CELL0_UUID
    )
    with context.target_cell(admin, cell0) as targeted:
        migration.db_sync(context=targeted)
    with (
        sqlite3.connect(_path(cell0.database_connection)) as source,
        sqlite3.connect(_path(CONF.database.connection)) as target,
    ):
        source.backup(target)


def _path(url: str) -> str:
    return str(engine.make_url(url).database)


if __name__ == '__main__':
    main()
