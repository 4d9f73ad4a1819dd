# SPDX-License-Identifier: Apache-2.0
"""The cloud's virtualenv: every service and this package, pinned."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from heat_vcluster.devcloud.progress import Progress
from heat_vcluster.devcloud.settings import Settings

CONSTRAINTS = Path(__file__).with_name('constraints.txt')
CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = (
    'keystone',
    'openstack-placement',
    'glance',
    'nova',
    'neutron',
    'cinder',
    'openstack-heat',
    'python-openstackclient',
    'python-heatclient',
    'osc-placement',
    'gunicorn',
    # Newer ones lack pkg_resources, which some services still import.
    'setuptools<81',
)
# What our package needs and no service brings along.
BROUGHT = ('cheroot', 'falcon')
OURS = 'heat-vcluster'
EXTRAS = 'client,openstack,service'
STAMP = '.vcluster-devcloud'

_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({
    one.metadata['Name'].lower().replace('_', '-').replace('.', '-'):
        one.version
    for one in importlib.metadata.distributions() if one.metadata['Name']
}))
"""


class InstallFailed(Exception):
    """pip could not install; holds its last words."""


def provide(cloud: Settings, progress: Progress) -> None:
    """Make the virtualenv and install into it what it lacks."""
    if _is_complete(cloud):
        return
    with progress.phase('packages'):
        if not cloud.python.exists():
            _run([sys.executable, '-m', 'venv', str(cloud.venv_dir)])
            progress.note(f'virtualenv {cloud.venv_dir}')
        stamp = cloud.venv_dir / STAMP
        if stamp.exists() or not _has_all(cloud):
            _install(cloud, progress)
        stamp.write_text(fingerprint())


def fingerprint() -> str:
    """Changes whenever something else would be installed."""
    ours = [
        (CHECKOUT / name).read_text()
        for name in ('setup.cfg', 'requirements.txt')
        if is_checkout()
    ]
    return _hash([versions(), *_ours(), str(CHECKOUT), *ours])


def versions() -> str:
    """Changes with the services, but not with this package's own."""
    return _hash([CONSTRAINTS.read_text(), *REQUIREMENTS])


def is_checkout() -> bool:
    return (CHECKOUT / 'setup.cfg').exists()


def pins() -> dict[str, str]:
    """The constraints file as a map of normalised name to version."""
    kept = {}
    for line in CONSTRAINTS.read_text().splitlines():
        name, equals, version = line.partition('==')
        if equals and not line.startswith('#'):
            kept[_normal(name)] = version.split(';')[0].strip()
    return kept


def _hash(texts: list[str]) -> str:
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()


def _normal(name: str) -> str:
    return name.strip().lower().replace('_', '-').replace('.', '-')


def _ours() -> list[str]:
    if is_checkout():
        return ['-e', f'{CHECKOUT}[{EXTRAS}]']
    from importlib import metadata

    return [f'{OURS}[{EXTRAS}]=={metadata.version(OURS)}']


def _is_complete(cloud: Settings) -> bool:
    stamp = cloud.venv_dir / STAMP
    return (
        cloud.python.exists()
        and stamp.exists()
        and stamp.read_text() == fingerprint()
    )


def _has_all(cloud: Settings) -> bool:
    """Whether a virtualenv made by other means has all of it already."""
    result = subprocess.run(
        [str(cloud.python), '-c', _VERSIONS],
        stdout=subprocess.PIPE,
        check=True,
    )
    present = json.loads(result.stdout)
    wanted = pins()
    return OURS in present and all(
        present.get(name) == wanted.get(name, present.get(name))
        and name in present
        for name in (
            _normal(one.split('<')[0]) for one in (*REQUIREMENTS, *BROUGHT)
        )
    )


def _install(cloud: Settings, progress: Progress) -> None:
    expected = len(pins())
    progress.note(f'installing about {expected} packages')
    command = [
        str(cloud.python),
        '-m',
        'pip',
        'install',
        '--disable-pip-version-check',
        '--no-input',
        # Most of it is never imported; what is, Python compiles itself.
        '--no-compile',
        '--constraint',
        str(CONSTRAINTS),
        *REQUIREMENTS,
        *_ours(),
    ]
    log = cloud.log('packages')
    log.parent.mkdir(parents=True, exist_ok=True)
    found = 0
    with log.open('w') as output:
        pip = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
        for line in pip.stdout or ():
            output.write(line)
            if line.startswith('Collecting '):
                found += 1
                if found % 50 == 0:
                    progress.note(f'{found} packages found')
            elif line.startswith('Installing collected'):
                progress.note('unpacking')
        code = pip.wait()
    if code:
        words = '\n'.join(log.read_text().splitlines()[-20:])
        raise InstallFailed(f'pip ended with {code}; {log} says:\n{words}')


def _run(command: list[str]) -> None:
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise InstallFailed(f'{" ".join(command)}:\n{result.stdout}')
