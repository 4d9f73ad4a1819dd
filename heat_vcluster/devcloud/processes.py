# SPDX-License-Identifier: Apache-2.0
"""The services' processes: started, watched and ended by their own pid."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services.base import Service
from heat_vcluster.devcloud.settings import Settings

LAST_LINES = 25
STOP_SECONDS = 20.0


class ServiceFailed(Exception):
    """A service or one of its commands ended badly; says what it logged."""

    def __init__(self, name: str, fact: str, log: Path) -> None:
        lines = '\n'.join(f'    {line}' for line in tail(log, LAST_LINES))
        super().__init__(f'{name}: {fact}\nLast lines of {log}:\n{lines}')
        self.name = name


class PortTaken(Exception):
    """Another program listens where a service of ours would."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Process:
    """A pid together with its start time, which no later process shares."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> _Process | None:
        try:
            stat = Path(f'/proc/{pid}/stat').read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field, the program's name, may hold blanks.
        fields = stat.rpartition(')')[2].split()
        state, started = fields[0], fields[19]
        return None if state in 'ZX' else cls(pid, started)


def environment(cloud: Settings, service: Service) -> dict[str, str]:
    """The surroundings of a service: none of the caller's OpenStack ones."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('OS_', 'PYTHON', 'GUNICORN'))
    }
    path = f'{cloud.venv_dir / "bin"}{os.pathsep}{kept.get("PATH", "")}'
    return (
        kept
        | {
            'PATH': path,
            'VIRTUAL_ENV': str(cloud.venv_dir),
            'HOME': str(cloud.home(service.name)),
            'PYTHONUNBUFFERED': '1',
            # Dozens of threads would each have a heap of their own.
            'MALLOC_ARENA_MAX': '2',
        }
        | service.environment(cloud)
    )


def run(
    cloud: Settings, service: Service, commands: Iterable[Sequence[str]]
) -> None:
    """Run commands of a service one by one; their output goes to its log."""
    log = _open_log(cloud, service.name)
    with log:
        for command in commands:
            result = subprocess.run(
                list(command),
                env=environment(cloud, service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cloud.state_dir,
                check=False,
            )
            if result.returncode:
                raise ServiceFailed(
                    service.name,
                    f'{Path(command[0]).name} ended with {result.returncode}',
                    cloud.log(service.name),
                )


def require_free_ports(cloud: Settings) -> None:
    """Raises PortTaken before anything is made; ours may be running."""
    taken = [
        f'{name} {cloud.port(name)}'
        for name in settings.BASE_PORTS
        if not running(cloud, name) and not _is_free(cloud.port(name))
    ]
    if taken:
        raise PortTaken(
            f'ports taken by another program: {", ".join(taken)}; '
            'choose another --port-offset'
        )


def start(cloud: Settings, service: Service) -> bool:
    """Start a service unless it runs; says whether it had to."""
    if running(cloud, service.name):
        return False
    with _open_log(cloud, service.name) as log:
        child = subprocess.Popen(
            service.command(cloud),
            env=environment(cloud, service),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cloud.state_dir,
            start_new_session=True,
        )
    process = _Process.of(child.pid)
    if process is None:
        raise ServiceFailed(
            service.name, 'ended at once', cloud.log(service.name)
        )
    settings.write_private(
        cloud.pid(service.name), f'{process.pid} {process.started}\n'
    )
    return True


def running(cloud: Settings, name: str) -> int | None:
    """The pid of a service that we started and that still lives."""
    try:
        pid, started = cloud.pid(name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    process = _Process.of(int(pid))
    return process.pid if process and process.started == started else None


def stop(cloud: Settings, names: Sequence[str]) -> list[str]:
    """End services, all at the same time; returns those that ran."""
    pids = {name: running(cloud, name) for name in names}
    alive = {name: pid for name, pid in pids.items() if pid}
    for pid in alive.values():
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for name, pid in alive.items():
        while running(cloud, name) and time.monotonic() < deadline:
            time.sleep(0.1)
        # Each is the leader of a group with its worker in it.
        _signal(-pid, signal.SIGKILL)
    for name in names:
        cloud.pid(name).unlink(missing_ok=True)
    return list(alive)


def wait_healthy(
    cloud: Settings, services: Iterable[Service], seconds: float
) -> None:
    """Wait until all answer; ServiceFailed names the one that does not."""
    deadline = time.monotonic() + seconds
    waiting = list(services)
    while waiting:
        waiting = [one for one in waiting if not is_healthy(cloud, one)]
        for service in waiting:
            log = cloud.log(service.name)
            if not running(cloud, service.name):
                raise ServiceFailed(service.name, 'ended while starting', log)
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    service.name, f'no answer within {seconds:.0f} s', log
                )
        if waiting:
            time.sleep(0.3)


def is_healthy(cloud: Settings, service: Service) -> bool:
    if not running(cloud, service.name):
        return False
    try:
        with urllib.request.urlopen(service.health_url(cloud), timeout=5):
            return True
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its direct children, in MiB."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            pages = Path(f'/proc/{one}/statm').read_text().split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(pages) * os.sysconf('SC_PAGE_SIZE')
    return total / 2**20


def tail(path: Path, lines: int) -> list[str]:
    try:
        text = path.read_text(errors='replace')
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def _children(pid: int) -> list[int]:
    path = Path(f'/proc/{pid}/task/{pid}/children')
    try:
        return [int(child) for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _open_log(cloud: Settings, name: str) -> BinaryIO:
    path = cloud.log(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    cloud.home(name).mkdir(parents=True, exist_ok=True)
    return path.open('ab')


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.ADDRESS, port))
        except OSError:
            return False
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    """A negative pid means the whole group."""
    try:
        if pid < 0:
            os.killpg(-pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
