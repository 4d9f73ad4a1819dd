# SPDX-License-Identifier: Apache-2.0
"""How an operator described the cloud: levels, pools, endpoints."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from oslo_config import cfg

from heat_vcluster import exception
from heat_vcluster.placement import model as placement

ZONE = 'availability_zone'
AGGREGATE = 'aggregate'
TRAIT = 'trait'
PINNINGS = ('none', 'json_filter')
#: Service -> how many requests to it at a time, where nobody says more.
CONCURRENCY = {
    'nova': 16,
    'cinder': 8,
    'neutron': 16,
    'glance': 8,
    'placement': 16,
    'keystone': 8,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """A level above the host, and the source of its domains.

    ``key`` is the metadata key for source ``aggregate``, the prefix of the
    trait for source ``trait``, and empty for ``availability_zone``.
    """

    name: str
    source: str
    key: str = ''

    @classmethod
    def parse(cls, text: str) -> Level:
        """Read ``NAME=SOURCE`` as in the option [topology]/levels."""
        name, _, rest = (part.strip() for part in text.partition('='))
        source, _, key = rest.partition(':')
        keyed = source in (AGGREGATE, TRAIT) and key
        if not re.fullmatch(r'[A-Za-z][\w-]*', name) or name == placement.HOST:
            raise exception.InvalidConfiguration(
                f'[topology]/levels: {text!r}: {name!r} cannot name a level'
            )
        if not keyed and rest != ZONE:
            raise exception.InvalidConfiguration(
                f'[topology]/levels: {text!r}: the source must be {ZONE}, '
                f'{AGGREGATE}:KEY or {TRAIT}:PREFIX'
            )
        return cls(name, source, key)


@dataclasses.dataclass(frozen=True, slots=True)
class PoolDomains:
    """Where pools sit: ``pattern`` at ``level``, or by their host's name.

    ``level`` None: the part before the ``@`` names a host whose domains the
    pool has. ``pattern`` has a group ``domain``.
    """

    level: str | None = None
    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str) -> PoolDomains:
        """Read the option [volume]/pool_domains."""
        if text.strip() == AGGREGATE:
            return cls()
        level, colon, regex = text.partition(':')
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise exception.InvalidConfiguration(
                f'[volume]/pool_domains: {error}'
            ) from error
        if not colon or 'domain' not in pattern.groupindex:
            raise exception.InvalidConfiguration(
                '[volume]/pool_domains: must be LEVEL:REGEX, with a group '
                f'(?P<domain>...) in the REGEX, or {AGGREGATE}'
            )
        return cls(level.strip(), pattern)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Everything the real cloud has to be told; times in seconds."""

    levels: tuple[Level, ...] = (Level('zone', ZONE),)
    topology_ttl: float = 60.0
    capacity_seconds: float = 5.0
    default_zone: str = 'nova'
    pin_volumes: bool = False
    pool_domains: PoolDomains | None = None
    pools: tuple[str, ...] = ()
    type_backends: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict
    )
    region: str | None = None
    interface: str = 'public'
    request_timeout: float = 120.0
    hold_chunk: int = 100
    concurrency: Mapping[str, int] = dataclasses.field(
        default_factory=lambda: dict(CONCURRENCY)
    )
    retry_seconds: float = 30.0
    server_groups: bool = True

    def __post_init__(self) -> None:
        names = [level.name for level in self.levels]
        if len(set(names)) != len(names):
            raise exception.InvalidConfiguration(
                '[topology]/levels: a level is named twice'
            )
        where = self.pool_domains.level if self.pool_domains else None
        if where and where not in (*names, placement.HOST):
            raise exception.InvalidConfiguration(
                f'[volume]/pool_domains: there is no level {where!r}'
            )

    @property
    def level_names(self) -> tuple[str, ...]:
        return tuple(level.name for level in self.levels)

    @property
    def scopes(self) -> tuple[str, ...]:
        return (*self.level_names, placement.HOST)

    @property
    def named_scopes(self) -> tuple[str, ...]:
        return tuple(e.name for e in self.levels if e.source == ZONE)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> Settings:
        """Take what :mod:`heat_vcluster.conf` registered."""
        domains = conf.volume.pool_domains
        return cls(
            levels=parse_levels(conf.topology.levels),
            topology_ttl=conf.topology.cache_seconds,
            capacity_seconds=conf.topology.capacity_seconds,
            default_zone=conf.topology.default_availability_zone,
            pin_volumes=is_pinning(conf.volume.pinning),
            pool_domains=PoolDomains.parse(domains) if domains else None,
            pools=parse_pools(conf.volume.pools),
            type_backends=parse_type_backends(conf.volume.type_backends),
            region=conf.cloud.region_name or None,
            interface=conf.cloud.interface,
            request_timeout=conf.cloud.request_timeout,
            hold_chunk=conf.cloud.hold_chunk,
            concurrency=parse_concurrency(conf.cloud.concurrency),
            retry_seconds=conf.cloud.retry_seconds,
            server_groups=conf.cloud.server_groups,
        )


def parse_levels(texts: Iterable[str]) -> tuple[Level, ...]:
    return tuple(Level.parse(text) for text in texts if text.strip())


def parse_pools(texts: Iterable[str]) -> tuple[str, ...]:
    """Read the option [volume]/pools: names of pools, as cinder has them."""
    found = tuple(text.strip() for text in texts if text.strip())
    for text in found:
        if not re.fullmatch(r'[^@#]+@[^@#]+#.+', text):
            raise exception.InvalidConfiguration(
                f'[volume]/pools: {text!r} must be host@backend#pool'
            )
    return found


def parse_type_backends(
    texts: Iterable[str],
) -> dict[str, frozenset[str]]:
    """Read the option [volume]/type_backends: type -> backend names."""
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        name, _, backend = (part.strip() for part in text.partition('='))
        if not name or not backend:
            raise exception.InvalidConfiguration(
                f'[volume]/type_backends: {text!r} must be TYPE=BACKEND'
            )
        found[name] = found.get(name, frozenset()) | {backend}
    return found


def parse_concurrency(texts: Mapping[str, str]) -> dict[str, int]:
    """Read the option [cloud]/concurrency over what holds without it."""
    found = dict(CONCURRENCY)
    for name, number in texts.items():
        if name not in CONCURRENCY or not number.isdecimal():
            raise exception.InvalidConfiguration(
                f'[cloud]/concurrency: {name}:{number} must be SERVICE:NUMBER '
                f'with one of {", ".join(CONCURRENCY)}'
            )
        if int(number) == 0:
            raise exception.InvalidConfiguration(
                f'[cloud]/concurrency: {name} would never be asked'
            )
        found[name] = int(number)
    return found


def is_pinning(text: str) -> bool:
    """Read the option [volume]/pinning."""
    if text not in PINNINGS:
        raise exception.InvalidConfiguration(
            f'[volume]/pinning: {text!r} is none of {", ".join(PINNINGS)}'
        )
    return text == 'json_filter'
