# SPDX-License-Identifier: Apache-2.0
"""Our own account in keystone: its session, and it in the name of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from keystoneauth1 import loading, plugin
from keystoneauth1 import session as ks
from oslo_config import cfg

from heat_vcluster.conf import auth

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
        """Read the account; None if none is configured."""
        group = auth.GROUP.name
        # Registers the options of the plugin, which is all that is wanted.
        if loading.load_auth_from_conf_options(conf, group) is None:
            return None
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
    """Return a session of the account."""
    group = auth.GROUP.name
    made = loading.load_auth_from_conf_options(conf, group)
    return loading.load_session_from_conf_options(conf, group, auth=made)
