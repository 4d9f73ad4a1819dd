# SPDX-License-Identifier: Apache-2.0
"""The one place where config, cloud, store, engine and service meet."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from oslo_config import cfg

from heat_vcluster import archive, direct, exception, planner, registry
from heat_vcluster import client as clients
from heat_vcluster import conf as configuration
from heat_vcluster import context as ctx
from heat_vcluster import quota as quotas
from heat_vcluster import service as services
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import api as db
from heat_vcluster.db import connection
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import board as boards
from heat_vcluster.engine import engine as engines
from heat_vcluster.engine import jobs, worker
from heat_vcluster.placement import base as solvers
from heat_vcluster.placement import limits as provider
from heat_vcluster.placement import model

T = TypeVar('T')

DEFAULT_DATABASE = 'sqlite:////var/lib/heat-vcluster/vcluster.sqlite'

_lock = threading.Lock()
_made: dict[int, services.Service] = {}  # by process: a fork makes its own


def service() -> services.Service:
    """Return this process's service, made by the configuration files.

    Made at the first call, never at import: whoever imports may fork.
    """
    with _lock:
        made = _made.get(os.getpid())
        if made is None:
            made = _made[os.getpid()] = from_config(configuration.load())
        return made


def client(context: ctx.Context) -> clients.Client:
    """Return a tenant's client to this process's service."""
    return direct.DirectClient(service(), context)


def api_from_config(conf: cfg.ConfigOpts) -> services.Service:
    """Make a service whose work others do, if there is a jobboard."""
    board = jobs_of(conf) if conf.work.jobboard else None
    return from_config(conf, board)


def worker_from_config(conf: cfg.ConfigOpts) -> worker.Worker:
    """Make what does the work of others; raises InvalidConfiguration."""
    if not conf.work.jobboard:
        raise exception.InvalidConfiguration(
            '[work]/jobboard is not set: there is nowhere to find jobs'
        )
    service = from_config(conf)
    return worker.Worker(
        cast(engines.Engine, service.engine),
        jobs_of(conf),
        at_once=conf.work.jobs,
        poll_seconds=conf.work.poll_interval,
    )


def jobs_of(conf: cfg.ConfigOpts) -> jobs.Jobs:
    """Make the line to the jobboard; raises InvalidConfiguration."""
    found = jobs.configuration(conf.work.jobboard)
    jobs.check_installed(found)
    return jobs.Jobs(found, conf.work.claim_seconds)


def from_config(
    conf: cfg.ConfigOpts, board: jobs.Jobs | None = None
) -> services.Service:
    """Make a service as the operator configured it."""
    opener = registry.get('clouds', 'openstack').from_config(conf)
    return assemble(
        opener,
        database=database_url(conf),
        settings=settings_of(conf),
        deadline=conf.placement.deadline,
        patience=conf.placement.patience,
        objective=conf.placement.objective,
        save_problems=conf.placement.save_problems,
        limits=limits_of(conf),
        quota=quota_of(conf),
        board=board,
    )


def database_url(conf: cfg.ConfigOpts) -> str:
    """Return the SQLAlchemy URL of the record.

    Raises InvalidConfiguration if it cannot be one.
    """
    options: Any = conf.database
    url = str(options.connection or DEFAULT_DATABASE)
    try:
        connection.check_url(url)
    except ValueError as error:
        raise exception.InvalidConfiguration(
            f'[database]/connection: {error}'
        ) from error
    return url


def assemble(
    opener: cloud.CloudOpener,
    *,
    database: str,
    settings: engine_base.Settings | None = None,
    solver: str = solvers.DEFAULT,
    deadline: float = 20.0,
    patience: float = planner.PATIENCE,
    objective: str = 'balance',
    save_problems: str | None = None,
    limits: provider.Limits | None = None,
    quota: quotas.Quota | None = None,
    board: jobs.Jobs | None = None,
) -> services.Service:
    """Make a service of its parts; ``database`` is a SQLAlchemy URL.

    ``save_problems`` names the directory to save every decision in. Without
    a ``quota`` a project may have any number of clusters. With a ``board``
    the work is done by others.
    """
    _check_limits(limits or provider.Limits(), opener.scopes)
    record = archive.Recorder(Path(save_problems)) if save_problems else None
    chosen = planner.Planner(
        registry.get('solvers', solver)(),
        deadline=deadline,
        patience=patience,
        objective=objective,
        record=record,
        limits=limits,
        named_scopes=opener.named_scopes,
    )
    store = db.Store(database)
    engine = engines.Engine(
        store, opener, chosen, services.load_stored, settings
    )
    return services.Service(
        store,
        opener,
        chosen,
        engine if board is None else boards.Board(engine, board),
        settings,
        quota,
    )


def _check_limits(limits: provider.Limits, scopes: Collection[str]) -> None:
    """Raise InvalidConfiguration if they are of what this cloud has not."""
    with _limit('forbidden_rules'):
        provider.check_bans(limits.bans, registry.load('policies'), scopes)
    levels = [scope for scope in scopes if scope != model.HOST]
    for option, by_level in (
        ('domain_headroom', limits.headroom),
        ('tenant_share', limits.share),
    ):
        with _limit(option):
            for level in by_level:
                if level not in levels:
                    raise ValueError(
                        f'{level!r} is not a level of [topology]/levels: '
                        f'{", ".join(levels)}'
                    )


def limits_of(conf: cfg.ConfigOpts) -> provider.Limits:
    """Read the provider's limits; raises InvalidConfiguration."""
    return provider.Limits(
        _read_limit(conf, 'forbidden_rules', provider.parse_bans),
        _read_limit(conf, 'host_headroom', provider.parse_amounts),
        _read_limit(conf, 'domain_headroom', provider.parse_levels),
        _read_limit(conf, 'tenant_share', provider.parse_levels),
    )


def _read_limit(
    conf: cfg.ConfigOpts, option: str, parse: Callable[[list[str]], T]
) -> T:
    with _limit(option):
        return parse(conf.limits[option])


@contextlib.contextmanager
def _limit(option: str) -> Iterator[None]:
    """Say of which option it is that something cannot be meant."""
    try:
        yield
    except ValueError as error:
        raise exception.InvalidConfiguration(
            f'[limits]/{option}: {error}'
        ) from error


def quota_of(conf: cfg.ConfigOpts) -> quotas.Quota:
    options: Any = conf.quota
    return quotas.Quota(
        clusters=options.clusters,
        members=options.members,
        held_plans=options.held_plans,
        max_hold_seconds=options.max_hold_seconds,
    )


def settings_of(conf: cfg.ConfigOpts) -> engine_base.Settings:
    options: Any = conf.engine
    return engine_base.Settings(
        threads=options.threads,
        handover_windows=options.handover_windows,
        replan_attempts=options.replan_attempts,
        replace_attempts=options.replace_attempts,
        lease_seconds=options.lease_seconds,
        poll_interval=options.poll_interval,
        create_timeout=options.create_timeout,
    )
