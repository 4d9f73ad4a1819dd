# SPDX-License-Identifier: Apache-2.0
"""What the names in a document mean in this cloud, and what is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model, offers
from heat_vcluster.cloud.openstack import (
    demands,
    groups,
    image,
    pools,
    quota,
)
from heat_vcluster.cloud.openstack.capacity import Need
from heat_vcluster.cloud.openstack.compute import Compute
from heat_vcluster.cloud.openstack.network import Networking
from heat_vcluster.cloud.openstack.session import Service
from heat_vcluster.cloud.openstack.volume import BlockStorage
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import model as spec

Thing = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """The services by the tenant's rights."""

    compute: Compute
    volume: BlockStorage
    network: Networking
    images: Service


class Resolver:
    """Resolves one document; collects all faults before it raises."""

    def __init__(
        self,
        sources: Sources,
        project_id: str,
        *,
        groups_servers: bool = True,
    ) -> None:
        self._ask = sources
        self._groups_servers = groups_servers
        self._project_id = project_id
        self._faults: dict[exception.Fault, None] = {}
        self._flavors: dict[str, str] = {}
        self._images: dict[str, str] = {}
        self._networks: dict[str, str] = {}
        self._volumes: dict[str, str] = {}
        self._types: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._demands: list[placement.Demand] = []
        self._choices: dict[str, tuple[offers.Offer, ...]] = {}
        self._total = quota.Total()
        self.needs: dict[str, Need] = {}
        self.backends: dict[str, frozenset[str]] = {}

    def resolve(
        self, wanted: spec.GroupSpec, *, checks_quotas: bool = True
    ) -> model.Resolution:
        """Return what all names mean. Raises InvalidDocument."""
        for member in wanted.members:
            path = f'{member.path}.spec'
            match member.spec:
                case spec.ServerSpec():
                    self._server(member.name, member.spec, path)
                case spec.VolumeSpec():
                    self._volume(member.name, member.spec, path)
                case spec.NetworkSpec():
                    self._network(member.spec, path)
        if checks_quotas and not self._faults:
            self._check_quotas()
        if self._faults:
            raise exception.InvalidDocument(self._faults)
        return model.Resolution(
            tuple(self._demands),
            self._flavors,
            self._images,
            self._networks,
            self._volumes,
            self._types,
            self._groups,
            self._choices,
            self._grouping(wanted, checks_quotas),
            self._disks(),
        )

    def _disks(self) -> dict[str, tuple[int, int]]:
        """Return the disks of all flavors, if there are servers at all."""
        if not self._flavors:
            return {}
        return {
            flavor[key]: (
                int(flavor['disk']),
                int(flavor.get('OS-FLV-EXT-DATA:ephemeral') or 0),
            )
            for flavor in self._all_flavors
            for key in ('name', 'id')
        }

    def _grouping(
        self, wanted: spec.GroupSpec, checks_quotas: bool
    ) -> grouping.Grouping:
        """Choose server groups; quotas are looked at if there are any."""
        if not self._groups_servers:
            return grouping.Grouping()
        found = grouping.choose(wanted, grouping.Room())
        if not found.groups or not checks_quotas:
            return found
        return grouping.choose(wanted, groups.room(self._limits))

    def _fault(self, path: str, message: str) -> None:
        # Copies of a counted instance have the same faults at one path.
        self._faults[exception.Fault(path, message)] = None

    # -- servers ----------------------------------------------------------

    def _server(self, name: str, asked: spec.ServerSpec, path: str) -> None:
        flavor = self._flavor(asked.flavor, f'{path}.flavor')
        found = asked.image and self._image(asked.image, f'{path}.image')
        self._key(asked.key_name, f'{path}.key_name')
        self._zone(
            asked.availability_zone,
            self._server_zones,
            f'{path}.availability_zone',
        )
        for number, nic in enumerate(asked.networks):
            self._interface(nic, f'{path}.networks[{number}]')
        for number, attachment in enumerate(asked.volumes):
            if not attachment.volume.is_member:
                where = f'{path}.volumes[{number}].volume'
                self._existing_volume(attachment.volume.name, where)
        if asked.boot_volume and not asked.boot_volume.is_member:
            where = f'{path}.boot_volume'
            self._existing_volume(asked.boot_volume.name, where, boots=True)
        if flavor:
            self._total.add_server(flavor, len(asked.networks))
            self._need(name, asked, flavor, found or None, path)

    def _need(
        self,
        name: str,
        asked: spec.ServerSpec,
        flavor: Thing,
        found: Thing | None,
        path: str,
    ) -> None:
        boots = asked.boot_volume is not None
        try:
            signature = demands.read(flavor, found, boots)
        except demands.Unknowable as what:
            self._fault(
                f'{path}.flavor',
                f'asks for {what}, which cannot be held in advance; use a '
                'flavor and an image without it',
            )
            return
        if found:
            self._check_size(flavor, found, f'{path}.flavor')
        self.needs[name] = Need(signature, asked.availability_zone)
        self._demands.append(
            placement.ServerDemand(name, dict(signature.resources))
        )
        self._choices[name] = self._instead(signature, found, boots)

    def _instead(
        self, own: demands.Signature, found: Thing | None, boots: bool
    ) -> tuple[offers.Offer, ...]:
        """Return the flavors that would do with the same image.

        They ask for the same traits.
        """
        key = (own, found['id'] if found else None, boots)
        if key not in self._seen_choices:
            offered = []
            for flavor in self._all_flavors:
                with contextlib.suppress(demands.Unknowable):
                    other = demands.read(flavor, found, boots)
                    alike = dataclasses.replace(other, resources=own.resources)
                    if alike == own and not any(
                        _too_small(flavor, found or {})
                    ):
                        offered.append((flavor['name'], dict(other.resources)))
            self._seen_choices[key] = offers.instead(
                dict(own.resources), offered
            )
        return self._seen_choices[key]

    @functools.cached_property
    def _seen_choices(self) -> dict[Any, tuple[offers.Offer, ...]]:
        return {}

    def _check_size(self, flavor: Thing, found: Thing, path: str) -> None:
        for fault in _too_small(flavor, found):
            self._fault(path, fault)

    def _interface(self, nic: spec.InterfaceSpec, path: str) -> None:
        if not nic.network.is_member:
            self._existing_network(nic.network.name, f'{path}.network')
        for number, group in enumerate(nic.security_groups or ()):
            self._group(group, f'{path}.security_groups[{number}]')
        if nic.floating_ip:
            self._total.floating_ips += 1
            self._existing_network(
                nic.floating_ip.network,
                f'{path}.floating_ip.network',
                external=True,
            )

    def _flavor(self, name: str, path: str) -> Thing | None:
        found = self._pick(name, self._all_flavors, 'flavor', path)
        if found:
            self._flavors[name] = found['id']
        return found

    def _image(self, name: str, path: str) -> Thing | None:
        if name not in self._seen_images:
            self._seen_images[name] = image.named(self._ask.images, name)
        found = self._only(name, self._seen_images[name], 'image', path)
        if found and found['status'] != 'active':
            self._fault(path, f'image {name!r} is not active')
        if found:
            self._images[name] = found['id']
        return found

    @functools.cached_property
    def _seen_images(self) -> dict[str, list[Thing]]:
        return {}

    def _key(self, name: str | None, path: str) -> None:
        if name is not None and name not in self._keys:
            self._unknown(name, 'key pair', self._keys, path)

    def _zone(
        self,
        name: str | None,
        zones: Callable[[], frozenset[str]],
        path: str,
    ) -> None:
        if name is None:
            return
        if ':' in name:
            self._fault(
                path, 'must be a zone alone; places are ours to choose'
            )
        elif name not in zones():
            self._unknown(name, 'availability zone', zones(), path)

    # -- volumes ----------------------------------------------------------

    def _volume(self, name: str, asked: spec.VolumeSpec, path: str) -> None:
        self._total.add_volume(asked.size)
        self._zone(
            asked.availability_zone,
            self._volume_zones,
            f'{path}.availability_zone',
        )
        kind = self._type(asked, f'{path}.volume_type')
        if asked.multiattach:
            self._check_multiattach(kind, f'{path}.volume_type')
        found = asked.image and self._image(asked.image, f'{path}.image')
        if found and asked.size < (found.get('min_disk') or 0):
            self._fault(
                f'{path}.size',
                f'must be at least {found["min_disk"]}, as the image needs',
            )
        if asked.snapshot_id:
            # Cinder makes it where the snapshot is: nothing to decide.
            self._snapshot(asked, f'{path}.snapshot_id')
        else:
            chosen = kind['name'] if kind else None
            self._demands.append(
                placement.VolumeDemand(name, asked.size, chosen)
            )

    def _type(self, asked: spec.VolumeSpec, path: str) -> Thing | None:
        """Return the type the volume will have, also if it names none."""
        if asked.volume_type is None:
            default = self._default_type
            named = (t for t in self._all_types if t['name'] == default)
            return next(named, None)
        found = self._pick(
            asked.volume_type, self._all_types, 'volume type', path
        )
        if found:
            self._types[asked.volume_type] = found['id']
        return found

    def _check_multiattach(self, kind: Thing | None, path: str) -> None:
        specs = (kind or {}).get('extra_specs') or {}
        if kind and specs.get('multiattach') != '<is> True':
            self._fault(
                path,
                f'type {kind["name"]!r} does not allow more than one '
                'attachment (multiattach)',
            )

    def _snapshot(self, asked: spec.VolumeSpec, path: str) -> None:
        snapshot_id = asked.snapshot_id or ''
        found = self._ask.volume.snapshot(snapshot_id)
        if found is None:
            self._fault(path, f'there is no snapshot {snapshot_id!r}')
        elif asked.size < found['size']:
            self._fault(path, f'it needs a size of {found["size"]} or more')

    def _existing_volume(
        self, name: str, path: str, *, boots: bool = False
    ) -> None:
        found = self._only(name, self._ask.volume.named(name), 'volume', path)
        if found is None:
            return
        self._volumes[name] = found['id']
        shared = found.get('multiattach') and found['status'] == 'in-use'
        if found['status'] != 'available' and not shared:
            self._fault(path, f'volume {name!r} is {found["status"]}')
        if boots and found.get('bootable') != 'true':
            self._fault(path, f'volume {name!r} cannot be booted from')

    # -- networks ---------------------------------------------------------

    def _network(self, asked: spec.NetworkSpec, path: str) -> None:
        self._total.add_network(asked)
        if asked.router:
            self._existing_network(
                asked.router.external_network,
                f'{path}.router.external_network',
                external=True,
            )

    def _existing_network(
        self, name: str, path: str, *, external: bool = False
    ) -> None:
        offered = self._all_networks
        if external:
            offered = [n for n in offered if n.get('router:external')]
        kind = 'external network' if external else 'network'
        found = self._pick(name, offered, kind, path)
        if found:
            self._networks[name] = found['id']

    def _group(self, name: str, path: str) -> None:
        found = self._pick(name, self._all_groups, 'security group', path)
        if found:
            self._groups[name] = found['id']

    # -- finding ----------------------------------------------------------

    def _pick(
        self, name: str, offered: Iterable[Thing], kind: str, path: str
    ) -> Thing | None:
        """Return what has that id or, failing that, alone that name."""
        offered = list(offered)
        matches = [one for one in offered if one['id'] == name] or [
            one for one in offered if one['name'] == name
        ]
        return self._only(name, matches, kind, path, offered)

    def _only(
        self,
        name: str,
        matches: Sequence[Thing],
        kind: str,
        path: str,
        offered: Iterable[Thing] = (),
    ) -> Thing | None:
        if len(matches) == 1:
            return matches[0]
        if matches:
            self._fault(
                path,
                f'{kind} {name!r}: there are {len(matches)} of that name; '
                'give the id',
            )
        else:
            names = (one['name'] for one in offered)
            self._unknown(name, kind, names, path)
        return None

    def _unknown(
        self, name: str, kind: str, names: Iterable[str | None], path: str
    ) -> None:
        known = sorted({n for n in names if n})
        close = difflib.get_close_matches(name, known, n=3)
        hint = ''
        if close:
            hint = '; did you mean ' + ' or '.join(map(repr, close)) + '?'
        elif 0 < len(known) <= 8:
            hint = '; there are: ' + ', '.join(known)
        self._fault(path, f'there is no {kind} {name!r}{hint}')

    @functools.cached_property
    def _all_flavors(self) -> list[dict[str, Any]]:
        return self._ask.compute.flavors()

    @functools.cached_property
    def _limits(self) -> Mapping[str, int]:
        return self._ask.compute.limits()

    @functools.cached_property
    def _keys(self) -> frozenset[str]:
        return self._ask.compute.keys()

    @functools.cached_property
    def _all_types(self) -> list[dict[str, Any]]:
        types = self._ask.volume.types()
        self.backends = pools.type_backends(types)
        return types

    @functools.cached_property
    def _default_type(self) -> str | None:
        return self._ask.volume.default_type()

    @functools.cached_property
    def _all_networks(self) -> list[dict[str, Any]]:
        return self._ask.network.networks()

    @functools.cached_property
    def _all_groups(self) -> list[dict[str, Any]]:
        return [
            group
            for group in self._ask.network.security_groups()
            if group['project_id'] == self._project_id
        ]

    @functools.cached_property
    def _known_server_zones(self) -> frozenset[str]:
        return self._ask.compute.zones()

    @functools.cached_property
    def _known_volume_zones(self) -> frozenset[str]:
        return self._ask.volume.zones()

    def _server_zones(self) -> frozenset[str]:
        return self._known_server_zones

    def _volume_zones(self) -> frozenset[str]:
        return self._known_volume_zones

    # -- quotas -----------------------------------------------------------

    def _check_quotas(self) -> None:
        for message in quota.shortfalls(
            self._total,
            (lambda: self._limits) if self._total.servers else None,
            self._ask.volume.limits if self._total.volumes else None,
            self._ask.network.quotas,
        ):
            self._fault('', message)


def _too_small(flavor: Thing, found: Thing) -> Iterator[str]:
    """Say why nova would refuse the image with the flavor."""
    disk, ram = found.get('min_disk') or 0, found.get('min_ram') or 0
    if 0 < int(flavor['disk']) < disk:
        yield f'the image needs a disk of {disk} GiB'
    if int(flavor['ram']) < ram:
        yield f'the image needs {ram} MiB of memory'
