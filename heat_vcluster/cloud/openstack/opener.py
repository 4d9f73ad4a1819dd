# SPDX-License-Identifier: Apache-2.0
"""Opens the real cloud for tenants, by the operator's configuration."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keystoneauth1 import session as ks
from oslo_config import cfg

from heat_vcluster import context as ctx
from heat_vcluster.cloud import base, model
from heat_vcluster.cloud.openstack import (
    errors,
    pace,
    reservation,
    settings,
    trusts,
)
from heat_vcluster.cloud.openstack.account import (
    Account,
    session_from_config,
)
from heat_vcluster.cloud.openstack.capacity import Capacity, Site
from heat_vcluster.cloud.openstack.cloud import OpenStackCloud
from heat_vcluster.cloud.openstack.session import (
    IDENTITY,
    Service,
    Services,
    tenant_session,
    widen,
)

LOG = logging.getLogger(__name__)


class OpenStackOpener(base.CloudOpener):
    """Shared by all requests of a process; safe for threads.

    ``session`` is that of our own account: roles ``service`` (placement)
    and ``vcluster`` (what the operator opened to it). ``trustee`` is the
    same account as it is configured: without it there are no trusts.
    ``entrusts``: whether users are asked for new ones.
    """

    def __init__(
        self,
        session: ks.Session,
        options: settings.Settings | None = None,
        trustee: Account | None = None,
        *,
        entrusts: bool = True,
    ) -> None:
        options = options or settings.Settings()
        secrets = errors.Secrets()
        self._turns = pace.Turns(options.concurrency)
        services = Services.of(session, options, secrets, self._turns)
        self._session = session
        self._discovery: dict[str, Any] = {}
        self._check: Callable[[], None] = lambda: None
        self._site = Site.of(services, options, secrets)
        self._trusts = self._trusts_of(trustee)
        self._entrusts = entrusts
        self.scopes = options.scopes
        self.named_scopes = options.named_scopes

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts) -> OpenStackOpener:
        """Read account, levels and the rest from the configuration."""
        session = session_from_config(conf)
        widen(session)
        return cls(
            session,
            settings.Settings.from_conf(conf),
            Account.from_config(conf),
            entrusts=conf.trust.enabled,
        )

    @classmethod
    def from_connection(
        cls,
        connection: Any,
        *,
        levels: Mapping[str, str] | None = None,
        pinning: str = 'none',
        pool_domains: str | None = None,
        type_backends: Iterable[str] = (),
        trusts: bool = False,
        **options: Any,
    ) -> OpenStackOpener:
        """Use an openstacksdk connection of our account, and no files.

        ``levels``, ``pinning``, ``pool_domains`` and ``type_backends`` as the
        options of these names; ``options`` are further fields of ``Settings``.
        ``trusts``: whether new clusters come with one, by which another
        program with the same database can go on.
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
        return cls(
            connection.session,
            chosen,
            Account.from_connection(connection),
            entrusts=trusts,
        )

    def open(self, context: ctx.Context) -> OpenStackCloud:
        session = tenant_session(context.auth, self._session, self._discovery)
        site = self._site
        theirs = Services.of(session, site.options, site.secrets, self._turns)
        return OpenStackCloud(site, theirs.guarded(self._check), context)

    def guarded(self, check: Callable[[], None]) -> OpenStackOpener:
        opener = copy.copy(self)
        opener._check = check
        opener._site = dataclasses.replace(
            self._site, services=self._site.services.guarded(check)
        )
        return opener

    def release_holds(self, hold_ids: Iterable[str]) -> None:
        reservation.release(self._site.services.placement, tuple(hold_ids))

    def missing_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        ids = frozenset(hold_ids)
        return ids - reservation.find(self._site.services.placement, ids)

    def hold_again(
        self, project_id: str, user_id: str, holds: Sequence[model.Hold]
    ) -> None:
        tenant = reservation.Tenant(project_id, user_id)
        Capacity(self._site, tenant).reserve(holds)

    # -- acting for a tenant who is not there -----------------------------

    def entrust(self, context: ctx.Context) -> str | None:
        if self._trusts is None or not self._entrusts:
            return None
        return self._trusts.make(context)

    def trusted(
        self, project_id: str, user_id: str, trust_id: str
    ) -> ctx.Context:
        if self._trusts is None:
            return super().trusted(project_id, user_id, trust_id)
        return self._trusts.context(project_id, user_id, trust_id)

    def end_trust(self, trust_id: str) -> None:
        if self._trusts is not None:
            self._trusts.end(trust_id)

    def _trusts_of(self, trustee: Account | None) -> trusts.Trusts | None:
        if trustee is None:
            return None
        if not trustee.takes_trusts:
            LOG.warning(
                'The kind of auth in [service_auth] cannot act by trusts'
            )
            return None
        return trusts.Trusts(self._session, trustee, self._identity)

    def _identity(self, session: ks.Session) -> Service:
        site = self._site
        return Service(
            IDENTITY, session, site.options, site.secrets, self._turns
        )
