# SPDX-License-Identifier: Apache-2.0
"""Opens the real cloud for tenants, by the operator's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keystoneauth1 import loading
from keystoneauth1 import session as ks
from oslo_config import cfg

from heat_vcluster import context as ctx
from heat_vcluster.cloud import base
from heat_vcluster.cloud.openstack import errors, reservation, settings
from heat_vcluster.cloud.openstack.capacity import Site
from heat_vcluster.cloud.openstack.cloud import OpenStackCloud
from heat_vcluster.cloud.openstack.session import (
    Services,
    tenant_session,
    widen,
)
from heat_vcluster.conf import auth


class OpenStackOpener(base.CloudOpener):
    """Shared by all requests of a process; safe for threads.

    ``session`` is that of our own account: roles ``service`` (placement)
    and ``vcluster`` (what the operator opened to it).
    """

    def __init__(
        self,
        session: ks.Session,
        options: settings.Settings | None = None,
    ) -> None:
        options = options or settings.Settings()
        secrets = errors.Secrets()
        services = Services.of(session, options, secrets)
        self._session = session
        self._discovery: dict[str, Any] = {}
        self._site = Site.of(services, options, secrets)
        self.scopes = options.scopes

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> OpenStackOpener:
        """Read account, levels and the rest from the configuration."""
        group = auth.GROUP.name
        plugin = loading.load_auth_from_conf_options(conf, group)
        session = loading.load_session_from_conf_options(
            conf, group, auth=plugin
        )
        widen(session)
        return cls(session, settings.Settings.from_conf(conf))

    @classmethod
    def from_connection(
        cls,
        connection: Any,
        *,
        levels: Mapping[str, str] | None = None,
        pinning: str = 'none',
        pool_domains: str | None = None,
        type_backends: Iterable[str] = (),
        **options: Any,
    ) -> OpenStackOpener:
        """Use an openstacksdk connection of our account, and no files.

        ``levels``, ``pinning``, ``pool_domains`` and ``type_backends`` as the
        options of these names; ``options`` are further fields of ``Settings``.
        """
        where = connection.config
        if levels is not None:
            options['levels'] = settings.parse_levels(
                f'{name}={source}' for name, source in levels.items()
            )
        if pool_domains is not None:
            options['pool_domains'] = settings.PoolDomains.parse(pool_domains)
        options.setdefault('region', where.get_region_name())
        options.setdefault('interface', where.get_interface() or 'public')
        chosen = settings.Settings(
            pin_volumes=settings.is_pinning(pinning),
            type_backends=settings.parse_type_backends(type_backends),
            **options,
        )
        return cls(connection.session, chosen)

    def open(self, context: ctx.Context) -> OpenStackCloud:
        session = tenant_session(context.auth, self._session, self._discovery)
        site = self._site
        theirs = Services.of(session, site.options, site.secrets)
        return OpenStackCloud(site, theirs, context)

    def release_holds(self, hold_ids: Iterable[str]) -> None:
        reservation.release(self._site.services.placement, tuple(hold_ids))
