# SPDX-License-Identifier: Apache-2.0
"""How neutron's tables are made in SQLite, where its migrations cannot run.

They alter constraints, which SQLite does not know. The models are the same
schema; what a migration wrote besides tables is added here.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import sqlalchemy
from neutron.db import migration
from neutron.db.migration.models import head

DEFAULT_RULES_REVISION = 'c33da356b165'
"""The migration with the rules that each new security group starts with."""


def create(url: str) -> None:
    """Make what is missing; an existing schema is left as it is."""
    engine = sqlalchemy.create_engine(url)
    metadata = head.get_metadata()
    metadata.create_all(engine)
    with engine.begin() as connection:
        _add_default_rules(connection, metadata)
    engine.dispose()


def _add_default_rules(
    connection: sqlalchemy.Connection, metadata: sqlalchemy.MetaData
) -> None:
    rules = metadata.tables['securitygroupdefaultrules']
    attributes = metadata.tables['standardattributes']
    if connection.execute(sqlalchemy.select(rules.c.id)).first():
        return
    for rule in _default_rules():
        values = dict(rule)
        attribute = connection.execute(
            sqlalchemy.insert(attributes).values(
                resource_type=rules.name,
                description=values.pop('description'),
            )
        )
        connection.execute(
            sqlalchemy.insert(rules).values(
                standard_attr_id=attribute.inserted_primary_key[0], **values
            )
        )


def _default_rules() -> list[dict[str, Any]]:
    # Its directory is named by a release, so it is no importable package.
    root = Path(migration.__file__).parent
    (file,) = root.glob(f'**/{DEFAULT_RULES_REVISION}_*.py')
    rules: list[dict[str, Any]] = runpy.run_path(str(file))[
        'default_template_rules'
    ]
    return rules


if __name__ == '__main__':
    create(sys.argv[1])
