# SPDX-License-Identifier: Apache-2.0
"""Our own account in keystone: its session, and it in the name of others."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from keystoneauth1 import exceptions as ka
from keystoneauth1 import loading, plugin
from keystoneauth1 import session as ks
from oslo_config import cfg

from heat_vcluster import exception
from heat_vcluster.conf import auth, bounds

TRUST = 'trust_id'
#: What says where a token is good: a trust says it all.
SCOPE = (
    'domain_id',
    'domain_name',
    'project_id',
    'project_name',
    'project_domain_id',
    'project_domain_name',
    'system_scope',
)
#: Options of its session that name a file (or a directory of them).
FILES = ('cafile', 'certfile', 'keyfile')


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Makes auth plugins of one account, as they were configured.

    ``options`` are what ``loader`` (of keystoneauth) takes; passwords are
    among them.
    """

    loader: Any
    options: Mapping[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> Account | None:
        """Read the account; None if none is configured.

        Raises InvalidConfiguration.
        """
        # Registers the options of the plugin, which is all that is wanted.
        if _plugin(conf) is None:
            return None
        group = auth.GROUP.name
        section = conf[conf[group].auth_section or group]
        loader = loading.get_plugin_loader(section.auth_type)
        return cls(loader, {name: section[name] for name in _names(loader)})

    @classmethod
    def from_connection(cls, connection: Any) -> Account | None:
        """Read that of an openstacksdk connection; None if it hides it."""
        known = connection.config.config
        if not known.get('auth'):
            return None
        loader = loading.get_plugin_loader(known['auth_type'])
        given = known['auth']
        return cls(
            loader,
            {name: given[name] for name in _names(loader) if name in given},
        )

    @property
    def takes_trusts(self) -> bool:
        """Tell whether such credentials may act by a trust.

        Application credentials are for their own project alone.
        """
        names = _names(self.loader)
        return TRUST in names and 'application_credential_id' not in names

    def by_trust(self, trust_id: str | None) -> plugin.BaseAuthPlugin:
        """Return what authenticates by a trust; None: for no project."""
        scope = {name: None for name in SCOPE if name in self.options}
        return self.loader.load_from_options(
            **{**self.options, **scope, TRUST: trust_id}
        )


def _names(loader: Any) -> list[str]:
    return [option.dest for option in loader.get_options()]


def session_from_config(conf: cfg.ConfigOpts) -> ks.Session:
    """Return a session of the account; raises InvalidConfiguration."""
    group = auth.GROUP.name
    made = _plugin(conf)
    if made is None:
        raise exception.InvalidConfiguration(
            f'[{group}]/auth_type is not set: nothing can be held without an '
            'account'
        )
    _check_session(conf[group])
    with _configured():
        return loading.load_session_from_conf_options(conf, group, auth=made)


def _plugin(conf: cfg.ConfigOpts) -> plugin.BaseAuthPlugin | None:
    """Return what authenticates; None if nothing is configured."""
    group = auth.GROUP.name
    with _configured():
        # Once more: where auth_section leads is known by now.
        loading.register_auth_conf_options(conf, group)
        return loading.load_auth_from_conf_options(conf, group)


def _check_session(section: Any) -> None:
    """Raise InvalidConfiguration for what would fail at each request."""
    group = auth.GROUP.name
    timeout = section.timeout
    if timeout is not None and not 0 < timeout <= bounds.YEAR:
        raise exception.InvalidConfiguration(
            f'[{group}]/timeout: {timeout} is no number of seconds above 0'
        )
    for option in FILES:
        name = section[option]
        if name and not os.path.exists(name):
            raise exception.InvalidConfiguration(
                f'[{group}]/{option}: there is no {name!r}'
            )


@contextlib.contextmanager
def _configured() -> Iterator[None]:
    """Tell what keystoneauth refuses as what it is: options that are bad."""
    try:
        yield
    except (ka.ClientException, cfg.Error, OSError, ValueError) as error:
        raise exception.InvalidConfiguration(
            f'[{auth.GROUP.name}]: {error}'
        ) from error
