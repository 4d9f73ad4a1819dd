# SPDX-License-Identifier: Apache-2.0
"""What one development cloud is: its size, its places on disk, its ports."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from pathlib import Path
from typing import Any

ADDRESS = '127.0.0.1'
REGION = 'RegionOne'
STATE_VARIABLE = 'VCLUSTER_DEVCLOUD_STATE'
BASE_PORTS = {
    'keystone': 5000,
    'placement': 8778,
    'glance': 9292,
    'nova': 8774,
    'neutron': 9696,
    'cinder': 8776,
    'vcluster': 8799,
    'heat': 8004,
}
MOST_HOSTS = 10_000
#: What placement takes of any resource.
MOST = 2**31 - 1
BACKENDS = ('rack', 'host')


def default_state_dir() -> Path:
    """The directory named by the environment, else one below the home."""
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get('XDG_STATE_HOME') or '~/.local/state'
    return Path(base).expanduser().absolute() / 'vcluster-devcloud'


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """One fake hypervisor and the domains it stands in."""

    name: str
    rack: str
    zone: str


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The choices for one cloud; everything else is derived from them.

    ``venv`` is the virtualenv which holds the services; ``None`` means the
    cloud's own, below its state directory.
    """

    state_dir: Path
    venv: Path | None = None
    racks: int = 4
    hosts_per_rack: int = 3
    zones: int = 2
    vcpus: int = 16
    ram_mb: int = 32768
    disk_gb: int = 500
    backends: str = 'rack'
    port_offset: int = 0

    def __post_init__(self) -> None:
        for name in (
            'racks',
            'hosts_per_rack',
            'zones',
            'vcpus',
            'ram_mb',
            'disk_gb',
        ):
            if not 1 <= getattr(self, name) <= MOST:
                raise ValueError(f'{name} must be from 1 to {MOST}')
        if self.racks * self.hosts_per_rack > MOST_HOSTS:
            raise ValueError(f'there can be {MOST_HOSTS} hosts at most')
        if self.zones > self.racks:
            raise ValueError('there cannot be more zones than racks')
        if self.backends not in BACKENDS:
            raise ValueError(f'backends must be one of {", ".join(BACKENDS)}')
        highest = max(BASE_PORTS.values()) + self.port_offset
        lowest = min(BASE_PORTS.values()) + self.port_offset
        if lowest < 1024 or highest > 65535:
            raise ValueError('port_offset leads outside of 1024..65535')

    # Kept on disk

    @classmethod
    def load(cls, state_dir: Path) -> Settings:
        """Read the settings kept in a state directory.

        Raises FileNotFoundError when no cloud was ever set up there.
        """
        kept = json.loads((state_dir / 'settings.json').read_text())
        if kept.get('venv'):
            kept['venv'] = Path(kept['venv'])
        return cls(state_dir=state_dir, **kept)

    def save(self) -> None:
        kept: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != 'state_dir'
        }
        kept['venv'] = str(self.venv) if self.venv else None
        self.state_dir.mkdir(parents=True, exist_ok=True)
        path = self.state_dir / 'settings.json'
        path.write_text(json.dumps(kept, indent=2) + '\n')

    def secret(self, name: str) -> str:
        """A password, made at its first use: 32 hexadecimal digits."""
        path = self.state_dir / 'secrets.json'
        kept = json.loads(path.read_text()) if path.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_hex(16)
            write_private(path, json.dumps(kept, indent=2) + '\n')
        return str(kept[name])

    # Hosts, racks, zones

    @property
    def rack_names(self) -> tuple[str, ...]:
        return tuple(f'rack{n}' for n in range(1, self.racks + 1))

    @property
    def zone_names(self) -> tuple[str, ...]:
        return tuple(f'az{n}' for n in range(1, self.zones + 1))

    def zone_of_rack(self, rack: str) -> str:
        """Racks are dealt in runs: with 2 zones, rack1 and rack2 are az1."""
        index = self.rack_names.index(rack)
        return self.zone_names[index * self.zones // self.racks]

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(
            Host(f'r{r}h{h}', f'rack{r}', self.zone_of_rack(f'rack{r}'))
            for r in range(1, self.racks + 1)
            for h in range(1, self.hosts_per_rack + 1)
        )

    @property
    def host_names(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)

    @property
    def backend_names(self) -> tuple[str, ...]:
        """Volume backends; a name is also its host and its pool."""
        if self.backends == 'rack':
            return self.rack_names
        return self.host_names

    # Addresses

    def port(self, service: str) -> int:
        return BASE_PORTS[service] + self.port_offset

    def url(self, service: str) -> str:
        """The root of a service, with no path and no slash at its end."""
        return f'http://{ADDRESS}:{self.port(service)}'

    @property
    def auth_url(self) -> str:
        return self.url('keystone') + '/v3'

    # Places

    @property
    def venv_dir(self) -> Path:
        return self.venv or self.state_dir / 'venv'

    @property
    def python(self) -> Path:
        return self.venv_dir / 'bin' / 'python'

    def bin(self, program: str) -> str:
        return str(self.venv_dir / 'bin' / program)

    def etc(self, service: str) -> Path:
        return self.state_dir / 'etc' / service

    def home(self, service: str) -> Path:
        """HOME of a service: some look for their files nowhere else."""
        return self.state_dir / 'home' / service

    def files(self, service: str) -> Path:
        """What a service keeps outside of its databases."""
        return self.state_dir / 'lib' / service

    def log(self, service: str) -> Path:
        return self.state_dir / 'log' / f'{service}.log'

    def pid(self, service: str) -> Path:
        return self.state_dir / 'run' / f'{service}.pid'

    def database(self, name: str) -> Path:
        return self.state_dir / 'db' / f'{name}.sqlite'

    @property
    def clouds_yaml(self) -> Path:
        return self.state_dir / 'clouds.yaml'


def write_private(path: Path, text: str) -> None:
    """Replace a file by one which only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + '.new')
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, 'w') as stream:
        stream.write(text)
    fresh.replace(path)
