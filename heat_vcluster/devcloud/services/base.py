# SPDX-License-Identifier: Apache-2.0
"""What one service of the cloud is, and the settings all of them share."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from heat_vcluster.devcloud import settings

Value = str | int | float | bool | Path
Ini = Mapping[str, Mapping[str, Value | Sequence[Value]]]


class Service(abc.ABC):
    """One OpenStack project, run as one process.

    Everything here happens on the driving side, with the standard library
    alone. What must happen inside the process is in the module named by
    ``runtime``: an optional ``prepare(cloud)``, called before ``wsgi_app`` is
    imported, and ``start(cloud)``, called after it; both in the one worker's
    main thread. A service with a ``command`` of its own has neither.
    """

    name: ClassVar[str]
    wsgi_app: ClassVar[str]
    """``module:object`` of the API."""
    runtime: ClassVar[str | None] = None
    threads: ClassVar[int] = 16
    databases: ClassVar[tuple[str, ...]] = ()
    """Names for ``database_url``; the files are made before the sync."""

    @abc.abstractmethod
    def write_config(self, cloud: settings.Settings) -> None:
        """Render all files below ``cloud.etc(self.name)``; idempotent."""

    def command(self, cloud: settings.Settings) -> list[str]:
        """The process: the API in gunicorn, with the engines beside it."""
        return [
            str(cloud.python),
            '-m',
            'heat_vcluster.devcloud.runtime.launch',
            self.name,
            str(cloud.state_dir),
        ]

    def environment(self, cloud: settings.Settings) -> dict[str, str]:
        """Variables for the service and for its database commands."""
        return {}

    def database_commands(self, cloud: settings.Settings) -> list[list[str]]:
        """Commands that bring the databases to their newest schema.

        They run one after the other, each time the cloud starts from
        databases that are not there yet.
        """
        return []

    def health_url(self, cloud: settings.Settings) -> str:
        """An address whose every answer below 500 means: it serves."""
        return cloud.url(self.name) + '/'


def render_ini(sections: Ini) -> str:
    """oslo.config's dialect: a sequence becomes repeated keys."""
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f'[{section}]')
        for key, value in options.items():
            many = (
                [value]
                if isinstance(value, str | int | float | Path)
                else value
            )
            # A dollar sign would start an interpolation.
            lines.extend(
                f'{key} = {str(one).replace("$", "$$")}' for one in many
            )
        lines.append('')
    return '\n'.join(lines)


def write_ini(path: Path, sections: Ini) -> None:
    settings.write_private(path, render_ini(sections))


def database_url(cloud: settings.Settings, name: str) -> str:
    # A writer waits for the one before it instead of failing at once.
    return f'sqlite:///{cloud.database(name)}?timeout=60'


def database(cloud: settings.Settings, name: str) -> dict[str, Value]:
    """The options of a ``[database]`` section."""
    return {
        'connection': database_url(cloud, name),
        'sqlite_synchronous': False,
    }


def default_section(cloud: settings.Settings) -> dict[str, Value]:
    """What every service has in ``[DEFAULT]``.

    Logs go to stderr, which is the service's log file. Messages stay inside
    the process: a project never calls another one this way.
    """
    return {
        'transport_url': 'fake://',
        'use_stderr': True,
        'debug': False,
        'state_path': cloud.state_dir / 'lib',
    }


def password_auth(cloud: settings.Settings, user: str) -> dict[str, Value]:
    """keystoneauth's options for a user of project ``service``."""
    return {
        'auth_type': 'password',
        'auth_url': cloud.auth_url,
        'username': user,
        'password': cloud.secret(user),
        'user_domain_name': 'Default',
        'project_name': 'service',
        'project_domain_name': 'Default',
        'region_name': settings.REGION,
    }


def keystone_authtoken(
    cloud: settings.Settings, user: str
) -> dict[str, Value]:
    """How a service checks the tokens it is shown."""
    return password_auth(cloud, user) | {
        'www_authenticate_uri': cloud.auth_url,
        'service_token_roles': 'service',
        'service_token_roles_required': True,
        # The cache's own thread-safe dictionary; there is no memcached.
        'token_cache_time': 300,
    }


def concurrency(cloud: settings.Settings, service: str) -> dict[str, Value]:
    """The options of ``[oslo_concurrency]``."""
    return {'lock_path': cloud.state_dir / 'lock' / service}


def policy(path: Path, rules: Mapping[str, str]) -> None:
    """Write a policy.yaml; only the rules given differ from the defaults."""
    lines = [f'"{name}": "{rule}"' for name, rule in rules.items()]
    settings.write_private(path, '\n'.join([*lines, '']))
