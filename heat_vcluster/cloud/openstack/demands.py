# SPDX-License-Identifier: Apache-2.0
"""What a server needs of its host, by nova's own reading of a flavor.

The rules are those of ``ResourceRequest.from_request_spec`` in
nova/scheduler/utils.py: what we hold must be what nova will claim.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

_KEY = re.compile(r'(resources|trait)([A-Za-z0-9_-]{1,64})?:(.+)')

#: Extra specs and image properties whose needs placement cannot be asked
#: for in advance, so that a hold would be less than nova's claim.
_UNKNOWABLE = {
    'accel:device_profile': 'devices of an accelerator profile',
    'pci_passthrough:alias': 'PCI devices',
    'hw:pmem': 'persistent memory',
    'hw:mem_encryption': 'memory encryption',
    'hw_mem_encryption': 'memory encryption',
}

#: Nova's own mark of a host that must not get servers.
DISABLED = 'COMPUTE_STATUS_DISABLED'

Value = str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """A question to placement; equal ones have the same answer.

    ``forbidden`` are traits a provider of the resources must not have.
    ``enabled``: only hosts that may get servers are meant.
    """

    resources: tuple[tuple[str, int], ...]
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    enabled: bool = True

    def query(self) -> dict[str, str]:
        """Return the parameters of GET /allocation_candidates."""
        traits = [*self.required, *(f'!{name}' for name in self.forbidden)]
        asked = {'resources': ','.join(f'{n}:{c}' for n, c in self.resources)}
        if self.enabled:
            # Nova forbids it on every request, as its mandatory prefilter.
            asked['root_required'] = f'!{DISABLED}'
        return {**asked, 'required': ','.join(traits)} if traits else asked


#: Asks for all hosts that have anything left: their memory is used up last.
SURVEY = Signature((('MEMORY_MB', 1),), enabled=False)


class Unknowable(Exception):
    """The flavor or image asks for what a hold cannot contain."""


def read(
    flavor: Mapping[str, Any],
    image: Mapping[str, Any] | None,
    boots_from_volume: bool,
) -> Signature:
    """Return what nova will claim for a server.

    ``flavor`` as nova shows it, ``image`` as glance does. Raises Unknowable.
    """
    extra: Mapping[str, str] = flavor.get('extra_specs') or {}
    properties = image or {}
    _refuse(extra, properties)
    resources: dict[str, int] = {}
    traits: dict[str, bool] = {}
    for key, value in extra.items():
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        kind, suffix, name = match.groups()
        if suffix:
            raise Unknowable(f'a group of resources of its own ({key})')
        if kind == 'resources':
            resources[name] = int(value)
        else:
            traits[name] = value == 'required'
    for key, value in properties.items():
        if key.startswith('trait:') and value == 'required':
            traits[key.removeprefix('trait:')] = True
    _pin(flavor, extra, properties, resources, traits)
    _size(flavor, boots_from_volume, resources)
    _devices(extra, properties, traits)
    return Signature(
        tuple(sorted((n, c) for n, c in resources.items() if c)),
        tuple(sorted(name for name, on in traits.items() if on)),
        tuple(sorted(name for name, on in traits.items() if not on)),
    )


def _refuse(extra: Mapping[str, str], properties: Mapping[str, Any]) -> None:
    for key, what in _UNKNOWABLE.items():
        value = extra.get(key) or properties.get(key)
        if value and str(value).lower() not in ('false', '0', 'no'):
            raise Unknowable(what)


def _size(
    flavor: Mapping[str, Any], boots_from_volume: bool, into: dict[str, int]
) -> None:
    """Add what the flavor's own figures say, where nothing overrides them."""
    if 'VCPU' not in into and 'PCPU' not in into:
        into['VCPU'] = int(flavor['vcpus'])
    into.setdefault('MEMORY_MB', int(flavor['ram']))
    if 'DISK_GB' not in into:
        swap_gb = math.ceil(int(flavor.get('swap') or 0) / 1024)
        disk = int(flavor.get('OS-FLV-EXT-DATA:ephemeral') or 0) + swap_gb
        if not boots_from_volume:
            disk += int(flavor['disk'])
        into['DISK_GB'] = disk


def _pin(
    flavor: Mapping[str, Any],
    extra: Mapping[str, str],
    properties: Mapping[str, Any],
    resources: dict[str, int],
    traits: dict[str, bool],
) -> None:
    """Turn the policies for dedicated processors into resources."""
    policy = extra.get('hw:cpu_policy') or properties.get('hw_cpu_policy')
    if policy == 'mixed':
        raise Unknowable('a mix of dedicated and shared processors')
    if policy == 'dedicated':
        isolate = extra.get('hw:emulator_threads_policy') == 'isolate'
        resources['PCPU'] = int(flavor['vcpus']) + int(isolate)
    threads = extra.get('hw:cpu_thread_policy') or properties.get(
        'hw_cpu_thread_policy'
    )
    if threads in ('isolate', 'require'):
        traits['HW_CPU_HYPERTHREADING'] = threads == 'require'


def _devices(
    extra: Mapping[str, str],
    properties: Mapping[str, Any],
    traits: dict[str, bool],
) -> None:
    """Add the traits that stand for a firmware or a device."""

    def asked(name: str) -> Value:
        return extra.get(f'hw:{name}') or properties.get(f'hw_{name}')

    secure = extra.get('os:secure_boot') or properties.get('os_secure_boot')
    if secure == 'required':
        traits['COMPUTE_SECURITY_UEFI_SECURE_BOOT'] = True
    version, model = asked('tpm_version'), asked('tpm_model')
    if version:
        traits[f'COMPUTE_SECURITY_TPM_{version.replace(".", "_")}'] = True
        crb = model == 'tpm-crb'
        traits[f'COMPUTE_SECURITY_TPM_{"CRB" if crb else "TIS"}'] = True
    mode = asked('maxphysaddr_mode')
    if mode in ('passthrough', 'emulate'):
        word = 'PASSTHROUGH' if mode == 'passthrough' else 'EMULATED'
        traits[f'COMPUTE_ADDRESS_SPACE_{word}'] = True
