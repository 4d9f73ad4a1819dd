# SPDX-License-Identifier: Apache-2.0
"""Keystone: identities, projects, tokens, the catalog."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services import base


class Keystone(base.Service):
    name = 'keystone'
    wsgi_app = 'keystone.wsgi.api:application'
    databases = ('keystone',)

    def write_config(self, cloud: settings.Settings) -> None:
        etc = cloud.etc(self.name)
        base.write_ini(
            etc / 'keystone.conf',
            {
                'DEFAULT': base.default_section(cloud),
                'database': base.database(cloud, 'keystone'),
                'token': {'provider': 'fernet', 'expiration': 43200},
                'fernet_tokens': {'key_repository': etc / 'fernet'},
                'fernet_receipts': {'key_repository': etc / 'fernet'},
                'credential': {'key_repository': etc / 'credential'},
                # The passwords are random; hashing them hard only costs.
                'identity': {
                    'password_hash_rounds': 4,
                    # Bcrypt's own limit; a longer one warns at every use.
                    'max_password_length': 72,
                },
                'oslo_policy': {'policy_file': etc / 'policy.yaml'},
            },
        )
        base.policy(etc / 'policy.yaml', {})
        for keys in ('fernet', 'credential'):
            _write_keys(etc / keys)

    def environment(self, cloud: settings.Settings) -> dict[str, str]:
        return {'OS_KEYSTONE_CONFIG_DIR': str(cloud.etc(self.name))}

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        manage = [
            cloud.bin('keystone-manage'),
            '--config-file',
            str(cloud.etc(self.name) / 'keystone.conf'),
        ]
        return [
            [*manage, 'db_sync'],
            [
                *manage,
                'bootstrap',
                '--bootstrap-username',
                'admin',
                '--bootstrap-password',
                cloud.secret('admin'),
                '--bootstrap-project-name',
                'admin',
                '--bootstrap-region-id',
                settings.REGION,
                '--bootstrap-public-url',
                cloud.auth_url,
                '--bootstrap-internal-url',
                cloud.auth_url,
                # Where the services look when they check a token.
                '--bootstrap-internal-url',
                cloud.auth_url,
            ],
        ]

    def health_url(self, cloud: settings.Settings) -> str:
        return cloud.auth_url


def _write_keys(directory: Path) -> None:
    """Two keys, as ``keystone-manage fernet_setup`` makes: 0 and 1."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in ('0', '1'):
        path = directory / number
        if not path.exists():
            key = base64.urlsafe_b64encode(os.urandom(32)).decode()
            settings.write_private(path, key)
