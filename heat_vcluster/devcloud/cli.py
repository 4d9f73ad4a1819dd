# SPDX-License-Identifier: Apache-2.0
"""The command ``vcluster-devcloud``."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heat_vcluster.devcloud import (
    assembly,
    packages,
    processes,
    services,
    settings,
)
from heat_vcluster.devcloud.progress import Progress
from heat_vcluster.devcloud.settings import Settings

CLOUDS = ('admin', 'alpha', 'beta', 'vcluster')
SIZE_OPTIONS = (
    ('racks', 'racks'),
    ('hosts_per_rack', 'hosts in each rack'),
    ('zones', 'availability zones, among which the racks are dealt'),
    ('vcpus', 'VCPUs of a host'),
    ('ram_mb', 'memory of a host, in MiB'),
    ('disk_gb', 'disk of a host, in GiB'),
    ('port_offset', 'added to every port, so that clouds can run together'),
)


class Refused(Exception):
    """The command cannot be carried out as it was given."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except BrokenPipeError:
        return 0
    except (
        Refused,
        OSError,
        ValueError,
        packages.InstallFailed,
        processes.PortTaken,
        processes.ServiceFailed,
    ) as error:
        print(f'vcluster-devcloud: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog='vcluster-devcloud',
        description='A real OpenStack control plane with fake hypervisors, '
        'on 127.0.0.1, without root.',
    )
    commands = root.add_subparsers(metavar='COMMAND', required=True)

    def command(name: str, text: str, function: Any) -> Any:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            '--state-dir',
            type=lambda given: Path(given).expanduser().absolute(),
            default=settings.default_state_dir(),
            help='where the cloud lives (default: %(default)s, '
            f'or ${settings.STATE_VARIABLE})',
        )
        added.set_defaults(command=function)
        return added

    _add_settings(command('up', 'start the cloud; safe to repeat', _up))
    command('down', 'stop the cloud; everything made in it is kept', _down)
    command('status', 'show what runs', _status)
    _add_settings(
        command(
            'reset', 'start anew with a clean, perhaps resized one', _reset
        )
    )
    logs = command('logs', 'show the log of a service', _logs)
    logs.add_argument(
        'service', choices=(*services.NAMES, 'bootstrap', 'packages')
    )
    logs.add_argument('-n', '--lines', type=int, default=100)
    logs.add_argument('-f', '--follow', action='store_true')
    restart = command('restart', 'stop and start services', _restart)
    restart.add_argument('service', nargs='+', choices=services.NAMES)
    env = command(
        'env', 'print how to point openstack at it: eval "$(... env)"', _env
    )
    env.add_argument('--cloud', choices=CLOUDS, default='alpha')
    return root


def _add_settings(command: argparse.ArgumentParser) -> None:
    defaults = {
        field.name: field.default for field in dataclasses.fields(Settings)
    }
    for name, text in SIZE_OPTIONS:
        command.add_argument(
            '--' + name.replace('_', '-'),
            type=int,
            metavar='N',
            help=f'{text} (default: {defaults[name]})',
        )
    command.add_argument(
        '--backends',
        choices=settings.BACKENDS,
        help='one volume backend per rack or per host '
        f'(default: {defaults["backends"]})',
    )
    command.add_argument(
        '--venv',
        type=lambda given: Path(given).expanduser().absolute(),
        help='a virtualenv to share with other clouds '
        '(default: one below the state directory)',
    )


def _given(options: argparse.Namespace) -> dict[str, Any]:
    names = [name for name, _ in SIZE_OPTIONS] + ['backends', 'venv']
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _existing(options: argparse.Namespace) -> Settings:
    try:
        return Settings.load(options.state_dir)
    except FileNotFoundError:
        raise Refused(f'there is no cloud in {options.state_dir}') from None


def _up(options: argparse.Namespace) -> None:
    given = _given(options)
    try:
        cloud = Settings.load(options.state_dir)
    except FileNotFoundError:
        cloud = Settings(state_dir=options.state_dir, **given)
    changed = [name for name in given if getattr(cloud, name) != given[name]]
    if changed:
        raise Refused(
            f'the cloud in {cloud.state_dir} was made with another '
            f'{", ".join(changed)}; "reset" makes it anew with your options'
        )
    progress = Progress()
    with assembly.exclusive(cloud):
        assembly.up(cloud, progress)
    _tell(cloud, progress)


def _reset(options: argparse.Namespace) -> None:
    before = _existing(options)
    cloud = dataclasses.replace(before, **_given(options))
    progress = Progress()
    with assembly.exclusive(cloud):
        if cloud != before:
            # Its ports may change: stop it while they are known.
            assembly.down(before)
        cloud.save()
        assembly.reset(cloud, progress)
    _tell(cloud, progress)


def _down(options: argparse.Namespace) -> None:
    cloud = _existing(options)
    with assembly.exclusive(cloud):
        stopped = assembly.down(cloud)
    print('stopped:', ' '.join(stopped) or 'nothing ran')


def _status(options: argparse.Namespace) -> int:
    cloud = _existing(options)
    good = True
    total = 0.0
    print(f'{"service":<10} {"state":<10} {"pid":>7} {"MiB":>6}  address')
    for name in services.NAMES:
        pid = processes.running(cloud, name)
        healthy = processes.is_healthy(cloud, services.find(name))
        good = good and healthy
        state = 'healthy' if healthy else 'starting' if pid else 'down'
        memory = processes.resident_mb(pid) if pid else 0.0
        total += memory
        print(
            f'{name:<10} {state:<10} {pid or "-":>7} {memory:6.0f}  '
            f'{cloud.url(name)}'
        )
    print(
        f'{len(cloud.hosts)} hosts in {cloud.racks} racks and {cloud.zones} '
        f'zones; {total:.0f} MiB; {cloud.state_dir}'
    )
    return 0 if good else 3


def _logs(options: argparse.Namespace) -> int:
    cloud = _existing(options)
    path = cloud.log(options.service)
    if options.follow:
        command = ['tail', '-n', str(options.lines), '-F', str(path)]
        return subprocess.call(command)
    for line in processes.tail(path, options.lines):
        print(line)
    return 0


def _restart(options: argparse.Namespace) -> None:
    cloud = _existing(options)
    with assembly.exclusive(cloud):
        assembly.restart(cloud, options.service, Progress())


def _env(options: argparse.Namespace) -> None:
    cloud = _existing(options)
    for name, value in environment(cloud, options.cloud).items():
        print(f'export {name}={shlex.quote(value)}')
    path = shlex.quote(str(cloud.venv_dir / 'bin'))
    print(f'export PATH={path}:"$PATH"')


def environment(cloud: Settings, account: str) -> dict[str, str]:
    return {
        'OS_CLIENT_CONFIG_FILE': str(cloud.clouds_yaml),
        'OS_CLOUD': f'devcloud-{account}',
        settings.STATE_VARIABLE: str(cloud.state_dir),
    }


def _tell(cloud: Settings, progress: Progress) -> None:
    progress.say(
        f'up: {len(cloud.hosts)} hosts in {cloud.racks} racks, '
        f'{cloud.zones} zones; Keystone at {cloud.auth_url}'
    )
    command = 'vcluster-devcloud env'
    if cloud.state_dir != settings.default_state_dir():
        command += f' --state-dir {shlex.quote(str(cloud.state_dir))}'
    print(f'Next: eval "$({command})" && openstack host list', flush=True)
