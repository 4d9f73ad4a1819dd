# SPDX-License-Identifier: Apache-2.0
"""Glance: images, kept as files."""

from __future__ import annotations

import shutil
from pathlib import Path

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services import base


class Glance(base.Service):
    name = 'glance'
    wsgi_app = 'glance.wsgi.api:application'
    databases = ('glance',)

    def write_config(self, cloud: settings.Settings) -> None:
        etc = cloud.etc(self.name)
        stores = {
            'os_glance_staging_store': cloud.files(self.name) / 'staging',
            'os_glance_tasks_store': cloud.files(self.name) / 'tasks',
            'file': cloud.files(self.name) / 'images',
        }
        for directory in stores.values():
            directory.mkdir(parents=True, exist_ok=True)
        sections: dict[str, dict[str, base.Value]] = {
            'DEFAULT': base.default_section(cloud)
            | {
                'enabled_backends': 'file:file',
                'worker_self_reference_url': cloud.url(self.name),
                'image_cache_dir': cloud.files(self.name) / 'cache',
            },
            'database': base.database(cloud, 'glance'),
            'glance_store': {'default_backend': 'file'},
            'keystone_authtoken': base.keystone_authtoken(cloud, 'glance'),
            'paste_deploy': {'flavor': 'keystone'},
            'oslo_concurrency': base.concurrency(cloud, self.name),
            'oslo_policy': {'policy_file': etc / 'policy.yaml'},
        }
        for store, directory in stores.items():
            sections[store] = {'filesystem_store_datadir': directory}
        base.write_ini(etc / 'glance-api.conf', sections)
        base.policy(etc / 'policy.yaml', {})
        shutil.copy(
            _packaged(cloud) / 'glance-api-paste.ini',
            etc / 'glance-api-paste.ini',
        )

    def environment(self, cloud: settings.Settings) -> dict[str, str]:
        return {'OS_GLANCE_CONFIG_DIR': str(cloud.etc(self.name))}

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        return [
            [
                cloud.bin('glance-manage'),
                '--config-file',
                str(cloud.etc(self.name) / 'glance-api.conf'),
                'db_sync',
            ]
        ]


def _packaged(cloud: settings.Settings) -> Path:
    return cloud.venv_dir / 'etc' / 'glance'
