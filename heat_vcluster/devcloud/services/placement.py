# SPDX-License-Identifier: Apache-2.0
"""Placement: inventories and allocations of the hosts."""

from __future__ import annotations

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services import base


class Placement(base.Service):
    name = 'placement'
    wsgi_app = 'placement.wsgi.api:application'
    databases = ('placement',)

    def write_config(self, cloud: settings.Settings) -> None:
        base.write_ini(
            cloud.etc(self.name) / 'placement.conf',
            {
                'DEFAULT': {'use_stderr': True},
                'api': {'auth_strategy': 'keystone'},
                'placement_database': base.database(cloud, 'placement'),
                'keystone_authtoken': base.keystone_authtoken(
                    cloud, 'placement'
                ),
            },
        )

    def environment(self, cloud: settings.Settings) -> dict[str, str]:
        return {'OS_PLACEMENT_CONFIG_DIR': str(cloud.etc(self.name))}

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        return [
            [
                cloud.bin('placement-manage'),
                '--config-file',
                str(cloud.etc(self.name) / 'placement.conf'),
                'db',
                'sync',
            ]
        ]
