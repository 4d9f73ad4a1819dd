# SPDX-License-Identifier: Apache-2.0
"""Our own service: the API and the engine in one process, as shipped."""

from __future__ import annotations

from pathlib import Path

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services import base

POOL_DOMAINS = {
    'rack': 'rack:^[^@]+@(?P<domain>[^#]+)#',
    'host': 'host:^[^@]+@(?P<domain>[^#]+)#',
}
"""Where a cinder pool stands, by what a backend belongs to."""

STOP_SECONDS = 15
"""Less than the driver waits before it ends a process the hard way."""

LEASE_SECONDS = 5
"""Short: no second engine is here, to take a slow one for dead."""


class Vcluster(base.Service):
    name = 'vcluster'
    databases = ('vcluster',)

    def command(self, cloud: settings.Settings) -> list[str]:
        return [
            cloud.bin('vcluster-service'),
            '--config-file',
            str(conf_file(cloud)),
        ]

    def write_config(self, cloud: settings.Settings) -> None:
        base.write_ini(conf_file(cloud), _sections(cloud))
        base.policy(cloud.etc(self.name) / 'policy.yaml', {})

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        return [
            [
                cloud.bin('vcluster-manage'),
                'db',
                'sync',
                '--config-file',
                str(conf_file(cloud)),
            ]
        ]

    def health_url(self, cloud: settings.Settings) -> str:
        return cloud.url(self.name) + '/healthcheck'


def conf_file(cloud: settings.Settings) -> Path:
    return cloud.etc('vcluster') / 'heat-vcluster.conf'


def _sections(cloud: settings.Settings) -> base.Ini:
    own = base.password_auth(cloud, 'vcluster')
    return {
        'DEFAULT': {'use_stderr': True},
        'api': {
            'host': settings.ADDRESS,
            'port': cloud.port('vcluster'),
            'stop_seconds': STOP_SECONDS,
            'validate_responses': True,
        },
        # What it does not have to wait for once it was killed.
        'engine': {'lease_seconds': LEASE_SECONDS},
        'database': {'connection': base.database_url(cloud, 'vcluster')},
        'keystone_authtoken': base.keystone_authtoken(cloud, 'vcluster'),
        'oslo_policy': {'policy_file': cloud.etc('vcluster') / 'policy.yaml'},
        'service_auth': own,
        'topology': {'levels': 'zone=availability_zone,rack=aggregate:rack'},
        'volume': {
            'pinning': 'json_filter',
            'pool_domains': POOL_DOMAINS[cloud.backends],
            'type_backends': ','.join(
                f'{name}={name}' for name in cloud.backend_names
            ),
        },
    }
