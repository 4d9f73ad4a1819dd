# SPDX-License-Identifier: Apache-2.0
"""Options of the service's own account in keystone."""

from __future__ import annotations

from keystoneauth1 import loading
from oslo_config import cfg

GROUP = cfg.OptGroup(
    'service_auth',
    title="The service's own account: roles service and vcluster, no admin",
)


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options that do not depend on the kind of auth.

    Those of the plugin named by ``auth_type`` are registered when it is
    loaded.
    """
    loading.register_auth_conf_options(conf, GROUP.name)
    loading.register_session_conf_options(conf, GROUP.name)


def options() -> list[cfg.Opt]:
    """Return what a sample file should show: those of a password."""
    password = loading.get_plugin_loader('password').get_options()
    common = [
        *loading.get_auth_common_conf_options(),
        *loading.get_session_conf_options(),
    ]
    special = [option._to_oslo_opt() for option in password]
    return common + sorted(special, key=lambda option: str(option.name))
