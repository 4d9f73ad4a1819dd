# SPDX-License-Identifier: Apache-2.0
"""How the cloud is put together: what must happen before what."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from heat_vcluster.devcloud import packages, processes, services, settings
from heat_vcluster.devcloud.progress import Progress
from heat_vcluster.devcloud.services.base import Service
from heat_vcluster.devcloud.settings import Settings

HEALTH_SECONDS = 180.0
# Nova asks for the accounts and for placement as soon as it starts.
LAST = ('nova',)


@contextlib.contextmanager
def exclusive(cloud: Settings) -> Iterator[None]:
    """One command at a time may change a cloud."""
    cloud.state_dir.mkdir(parents=True, exist_ok=True)
    with (cloud.state_dir / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(cloud: Settings, progress: Progress) -> None:
    """Bring everything up that is not; raises ServiceFailed."""
    processes.require_free_ports(cloud)
    packages.provide(cloud, progress)
    everything = [services.find(name) for name in services.NAMES]
    with progress.phase('configuration'):
        cloud.save()
        for service in everything:
            service.write_config(cloud)
        write_clouds_yaml(cloud)
    if not all(processes.running(cloud, one.name) for one in everything):
        with progress.phase('databases and services'):
            _start(cloud, everything, progress)
    _finish(cloud, everything, progress)
    # None yet means that no one has been told of this cloud: it is unused.
    if not snapshot_dir(cloud).exists():
        with progress.phase('snapshot for reset'):
            take_snapshot(cloud)


def down(cloud: Settings) -> list[str]:
    return processes.stop(cloud, services.NAMES)


def reset(cloud: Settings, progress: Progress) -> None:
    """Back to the cloud as it was right after its first start."""
    with progress.phase('stopping'):
        down(cloud)
    same = snapshot_settings(cloud) == _essence(cloud)
    with progress.phase('clean state' if same else 'empty state'):
        for directory in ('db', 'lib', 'lock'):
            shutil.rmtree(cloud.state_dir / directory, ignore_errors=True)
        if same:
            for directory in ('db', 'lib'):
                shutil.copytree(
                    snapshot_dir(cloud) / directory,
                    cloud.state_dir / directory,
                )
        else:
            shutil.rmtree(snapshot_dir(cloud), ignore_errors=True)
    up(cloud, progress)


def restart(cloud: Settings, names: Sequence[str], progress: Progress) -> None:
    chosen = [services.find(name) for name in names]
    with progress.phase('stopping ' + ' '.join(names)):
        processes.stop(cloud, names)
    with progress.phase('starting ' + ' '.join(names)):
        for service in chosen:
            service.write_config(cloud)
            processes.start(cloud, service)
        processes.wait_healthy(cloud, chosen, HEALTH_SECONDS)
    with progress.phase('readiness'):
        _bootstrap(cloud, 'ready')


def _start(
    cloud: Settings, everything: list[Service], progress: Progress
) -> None:
    """Databases two at a time; each service starts once its own is there.

    Keystone goes first, and the accounts are made while the other
    databases are.
    """
    early = [one for one in everything if one.name not in LAST]
    late = [one for one in everything if one.name in LAST]
    keystone = early[0]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(_prepare_and_start, cloud, keystone, progress)
        synced = [pool.submit(_sync, cloud, one, progress) for one in late]
        started = [
            pool.submit(_prepare_and_start, cloud, one, progress)
            for one in early[1:]
        ]
        first.result()
        processes.wait_healthy(cloud, [keystone], HEALTH_SECONDS)
        _bootstrap(cloud, 'accounts')
        progress.note('accounts')
        for future in synced + started:
            future.result()
    processes.wait_healthy(
        cloud,
        [one for one in early if one.name == 'placement'],
        HEALTH_SECONDS,
    )
    for service in late:
        processes.start(cloud, service)
    processes.wait_healthy(cloud, everything, HEALTH_SECONDS)


def _prepare_and_start(
    cloud: Settings, service: Service, progress: Progress
) -> None:
    _sync(cloud, service, progress)
    if processes.start(cloud, service):
        progress.note(f'{service.name} started')


def _sync(cloud: Settings, service: Service, progress: Progress) -> None:
    """Make a service's databases unless an earlier run finished them."""
    done = cloud.state_dir / 'db' / f'{service.name}.done'
    if done.exists():
        return
    for name in service.databases:
        path = cloud.database(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f'{path.name}*'):
            leftover.unlink()
        with contextlib.closing(sqlite3.connect(path)) as database:
            # Readers and the one writer then do not wait for each other.
            database.execute('PRAGMA journal_mode=WAL')
    processes.run(cloud, service, service.database_commands(cloud))
    done.touch()
    progress.note(f'{service.name} database')


def _finish(
    cloud: Settings, everything: list[Service], progress: Progress
) -> None:
    with progress.phase('health'):
        processes.wait_healthy(cloud, everything, HEALTH_SECONDS)
    with progress.phase('flavors, networks, racks, readiness'):
        _bootstrap(cloud, 'resources')


def _bootstrap(cloud: Settings, stage: str) -> None:
    log = cloud.log('bootstrap')
    log.parent.mkdir(parents=True, exist_ok=True)
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('OS_', 'PYTHON'))
    }
    with log.open('ab') as output:
        result = subprocess.run(
            [
                str(cloud.python),
                '-m',
                'heat_vcluster.devcloud.bootstrap',
                stage,
                str(cloud.state_dir),
            ],
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cloud.state_dir,
            check=False,
        )
    if result.returncode:
        raise processes.ServiceFailed(
            'bootstrap', f'stage {stage} failed', log
        )


# Snapshot


def snapshot_dir(cloud: Settings) -> Path:
    return cloud.state_dir / 'snapshot'


def take_snapshot(cloud: Settings) -> None:
    """Copy the databases and files of the fresh cloud, while it runs."""
    target = snapshot_dir(cloud)
    fresh = target.with_name('snapshot.new')
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / 'db').mkdir(parents=True)
    for path in (cloud.state_dir / 'db').glob('*.done'):
        shutil.copy(path, fresh / 'db')
    for path in (cloud.state_dir / 'db').glob('*.sqlite'):
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(
                sqlite3.connect(fresh / 'db' / path.name)
            ) as copy,
        ):
            source.backup(copy)
    shutil.copytree(cloud.state_dir / 'lib', fresh / 'lib')
    (fresh / 'settings').write_text(_essence(cloud))
    fresh.rename(target)


def snapshot_settings(cloud: Settings) -> str | None:
    path = snapshot_dir(cloud) / 'settings'
    return path.read_text() if path.exists() else None


def _essence(cloud: Settings) -> str:
    """All that the databases depend on."""
    return repr((cloud, packages.versions()))


# Credentials


def write_clouds_yaml(cloud: Settings) -> None:
    accounts = {
        'devcloud-admin': ('admin', 'admin'),
        'devcloud-alpha': ('alpha', 'alpha'),
        'devcloud-beta': ('beta', 'beta'),
        'devcloud-vcluster': ('vcluster', 'service'),
    }
    lines = ['clouds:']
    for name, (user, project) in accounts.items():
        lines += [
            f'  {name}:',
            f'    region_name: {settings.REGION}',
            '    auth:',
            f'      auth_url: {cloud.auth_url}',
            f'      username: {user}',
            f'      password: {cloud.secret(user)}',
            '      user_domain_name: Default',
            f'      project_name: {project}',
            '      project_domain_name: Default',
        ]
    settings.write_private(cloud.clouds_yaml, '\n'.join([*lines, '']))
