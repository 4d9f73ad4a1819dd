# SPDX-License-Identifier: Apache-2.0
"""A server member: ports first, the hand-over late, then what hangs on it.

The hand-over is the one moment in which a held place is open: the hold is
given up, the server is asked for on that very host, and the window closes
when the compute service has claimed the room. A place lost in it is found
out, and the member is placed again while all other holds stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.members import base, network, resizing
from heat_vcluster.spec import model as spec

PORTS = 'ports'
SERVER = 'server'
ACTIVE = 'active'
ATTACHMENTS = 'attachments'
FLOATING_IPS = 'floating_ips'

NO_GROUP = 'the server group could not be had, as the events tell'

Work = Callable[..., None]

#: The statuses of a volume on its way to a server, or from it.
MOVING = ('attaching', 'detaching')


class Server(base.MemberType):
    name = 'server'

    def step_names(self, asked: spec.MemberSpec) -> tuple[str, ...]:
        server = cast(spec.ServerSpec, asked)
        has = {
            PORTS: bool(server.networks),
            ATTACHMENTS: bool(server.volumes),
            FLOATING_IPS: any(nic.floating_ip for nic in server.networks),
        }
        return tuple(name for name in WORK if has.get(name, True))

    def steps(
        self, wanted: spec.GroupSpec, member: spec.Member
    ) -> tuple[base.Step, ...]:
        """Each step waits for the one before it, and some for others."""
        asked = cast(spec.ServerSpec, member.spec)
        others = {
            PORTS: frozenset(
                base.symbol(nic.network.name, network.NETWORK)
                for nic in asked.networks
                if nic.network.is_member
            ),
            SERVER: base.ready(wanted, member.depends_on),
        }
        steps: list[base.Step] = []
        before = base.RESERVATION
        for name in self.step_names(asked):
            execute, makes = WORK[name]
            step = base.Step(
                member.name,
                name,
                functools.partial(execute, member=member.name, asked=asked),
                others.get(name, frozenset()) | {before},
                makes,
            )
            steps.append(step)
            before = step.symbol
        return tuple(steps)

    def resource_id(self, facts: Mapping[str, Any]) -> str | None:
        return facts.get('server_id')

    def addresses(self, facts: Mapping[str, Any]) -> list[str]:
        return [
            address
            for port in facts.get('ports', ())
            for address in port['addresses']
        ]

    def things(
        self, facts: Mapping[str, Any]
    ) -> tuple[tuple[model.Kind, str, str], ...]:
        ports = facts.get('ports', ())
        floating = facts.get('floating_ips', ())
        found = [
            (model.Kind.SERVER, facts.get('server_id'), ''),
            *(
                (model.Kind.PORT, port['id'], f'nic-{number}')
                for number, port in enumerate(ports)
            ),
            *(
                (model.Kind.FLOATING_IP, each['id'], each.get('part', ''))
                for each in floating
            ),
        ]
        return tuple(each for each in found if each[1])

    def let_go(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Detach the volumes that it is not to have any more."""
        one, two = cast(spec.ServerSpec, before), cast(spec.ServerSpec, after)
        kept = {attachment.volume for attachment in two.volumes}
        for attachment in one.volumes:
            if attachment.volume not in kept:
                detach(site, member, volume_id(site, attachment.volume))

    def change(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        one, two = cast(spec.ServerSpec, before), cast(spec.ServerSpec, after)
        marks = model.Marks(
            changed(one.metadata, two.metadata),
            frozenset(one.metadata.keys() - two.metadata.keys()),
            frozenset(two.tags) - frozenset(one.tags),
            frozenset(one.tags) - frozenset(two.tags),
        )
        if not marks.is_empty:
            site.cloud.mark_server(site.facts(member)['server_id'], marks)
        for number, nic in enumerate(two.networks):
            if nic.security_groups != one.networks[number].security_groups:
                site.cloud.secure_port(
                    site.facts(member)['ports'][number]['id'],
                    security_group_ids(site, nic),
                )
        if one.volumes != two.volumes:
            for attachment in two.volumes:
                come_to_rest(site, volume_id(site, attachment.volume))
            attach_volumes(site, member, two)

    def resize(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        one, two = cast(spec.ServerSpec, before), cast(spec.ServerSpec, after)
        if one.flavor != two.flavor:
            resizing.resize(site, member, site.resolution.flavors[two.flavor])

    def take_back(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        resizing.take_back(site, member)

    def remains(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> str | None:
        return resizing.remains(site, member)

    def take_up(
        self, site: base.Site, member: str, there: Sequence[model.Thing]
    ) -> None:
        """Adopt the server, if there is one that may become what it should.

        One that is on its way out does not tell so: that its place was lost
        is known by the facts.
        """
        facts = site.facts(member)
        if facts.get(base.PLACE_LOST):
            return
        found: str | None = None
        for thing in there:
            if thing.kind is model.Kind.SERVER:
                state = site.cloud.server_state(thing.id)
                if state.no_valid_host:
                    site.record(member, server_id=None, place_lost=True)
                    return
                if state.progress is model.Progress.FAILED:
                    raise failure(member, state)
                if state.progress is not model.Progress.GONE:
                    found = thing.id
        if found != facts.get('server_id'):
            site.record(member, server_id=found)

    def examine(
        self, scene: base.Scene, member: spec.Member
    ) -> base.Condition:
        server_id = scene.facts[member.name]['server_id']
        state = scene.cloud.server_state(server_id)
        if state.progress is model.Progress.GONE:
            return base.Condition(None, 'its server is gone', is_lost=True)
        seat = scene.cloud.locate(server_id)
        return base.Condition(
            None if seat is None else seat.host,
            _fault(scene, member, state),
            is_lost=state.progress is model.Progress.FAILED,
        )


def _fault(
    scene: base.Scene, member: spec.Member, state: model.ServerState
) -> str | None:
    if state.status != scene.status:
        why = f': {state.reason}' if state.reason else ''
        return f'its server is {state.status}{why}'
    asked = cast(spec.ServerSpec, member.spec)
    for attachment in asked.volumes:
        name = attachment.volume.name
        if attachment.volume.is_member:
            volume = scene.facts[name].get('volume_id')
            if volume not in state.attached:
                return f'volume {name} is not attached to its server'
    facts = scene.facts[member.name]
    ports = [port['id'] for port in facts.get('ports', ())]
    floating = [each['id'] for each in facts.get('floating_ips', ())]
    return scene.missing(model.Kind.PORT, ports) or scene.missing(
        model.Kind.FLOATING_IP, floating
    )


def create_ports(site: base.Site, member: str, asked: spec.ServerSpec) -> None:
    """Make the ports before the server, so that addresses are known.

    One that is gone is made again with the address that it had: the compute
    service takes those that it has made itself away with a server.
    """
    before = site.facts(member).get('ports', ())
    ports: list[dict[str, Any]] = []
    for number, nic in enumerate(asked.networks):
        port = site.cloud.ensure_port(
            site.owner(member, f'nic-{number}'),
            model.PortRequest(
                name=site.name_of(member, f'nic-{number}'),
                network_id=network_id(site, nic.network),
                fixed_ip=nic.fixed_ip or _address(before, number),
                security_group_ids=security_group_ids(site, nic),
            ),
        )
        ports.append({'id': port.id, 'addresses': list(port.addresses)})
        site.record(member, ports=list(ports))


def _address(ports: Sequence[Mapping[str, Any]], number: int) -> str | None:
    """Return the one address that a port had; None: there is no one."""
    if number >= len(ports) or len(ports[number]['addresses']) != 1:
        return None
    return cast(str, ports[number]['addresses'][0])


def security_group_ids(
    site: base.Site, nic: spec.InterfaceSpec
) -> tuple[str, ...] | None:
    if nic.security_groups is None:
        return None
    known = site.resolution.security_groups
    return tuple(known[group] for group in nic.security_groups)


def changed(
    before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, str]:
    """Return what is to be set for one mapping to become another."""
    return {k: v for k, v in after.items() if before.get(k) != v}


def network_id(site: base.Site, reference: spec.Reference) -> str:
    if reference.is_member:
        return cast(str, site.facts(reference.name)['network_id'])
    return site.resolution.networks[reference.name]


def volume_id(site: base.Site, reference: spec.Reference) -> str:
    if reference.is_member:
        return cast(str, site.facts(reference.name)['volume_id'])
    return site.resolution.volumes[reference.name]


def hand_over(site: base.Site, member: str, asked: spec.ServerSpec) -> None:
    """Turn the member's hold into a server on the held host."""
    lost = 0
    while lost < site.attempts:
        if site.facts(member).get(base.PLACE_LOST):
            move(site, member)
        group_id = site.server_group(member)
        with site.handover():
            site.release(member)
            server_id = request_server(site, member, asked, group_id)
            claimed = site.wait(Claim(site, member, server_id), quick=True)
        if claimed:
            return
        site.record(member, server_id=None, place_lost=True)
        if group_id is not None and is_refused_by_group(site, member):
            continue
        # If it was asked for without its group, that was not to blame.
        site.record(member, ungrouped=None)
        lost += 1
        site.tell(member, 'space_lost', 'its place was taken')
    raise exception.MemberFailed(
        member, f'its place was taken by others {site.attempts} times'
    )


def is_refused_by_group(site: base.Site, member: str) -> bool:
    """Tell whether the place is there, and its server group the obstacle.

    The plan obeys all rules, so such a group is not to stand in its way: the
    place is held again, for a server without the group.
    """
    site.remove(member, {model.Kind.SERVER})
    if not site.retake(member):
        return False
    site.record(member, place_lost=None, ungrouped=True)
    site.tell(
        member,
        'ungrouped',
        'the compute service did not take it in its server group',
    )
    return True


def await_volumes(site: base.Site, asked: spec.ServerSpec) -> None:
    """Wait until no server that is gone has its volumes any more.

    One that is made again may find them still on their way from the server
    before it; what that one never gave up is taken from it.
    """
    wanted = [attachment.volume for attachment in asked.volumes]
    if asked.boot_volume:
        wanted.append(asked.boot_volume)
    for reference in wanted:
        volume = volume_id(site, reference)
        site.wait(functools.partial(is_let_go, site, volume))


def is_let_go(site: base.Site, volume: str) -> bool | None:
    state = site.cloud.volume_state(volume)
    if state.status == 'detaching':
        return None
    for server_id in state.attached_to:
        its = site.cloud.server_state(server_id)
        if its.progress is model.Progress.GONE:
            site.cloud.drop_attachment(server_id, volume)
            return None
    return True


def move(site: base.Site, member: str) -> None:
    """Find another place for a member that lost its own."""
    site.remove(member, {model.Kind.SERVER})
    site.move(member)
    site.record(member, place_lost=None)


def request_server(
    site: base.Site,
    member: str,
    asked: spec.ServerSpec,
    group_id: str | None,
) -> str:
    found = site.resolution
    boot = asked.boot_volume
    server_id = site.cloud.ensure_server(
        site.owner(member),
        model.ServerRequest(
            name=site.name_of(member),
            spec=asked,
            host=cast(str, site.place(member)),
            flavor_id=found.flavors[asked.flavor],
            port_ids=tuple(
                port['id'] for port in site.facts(member).get('ports', ())
            ),
            image_id=asked.image and found.images[asked.image],
            boot_volume_id=volume_id(site, boot) if boot else None,
            domains=site.domains(member),
            group_id=group_id,
        ),
    )
    site.record(
        member,
        server_id=server_id,
        server_groups=held_rules(site, member, group_id),
    )
    return server_id


def held_rules(
    site: base.Site, member: str, group_id: str | None
) -> dict[str, str | None]:
    """Return rule -> why no server group holds it; None: one does."""
    told = site.resolution.grouping.rules_of(member)
    if group_id is None:
        return {rule: why or NO_GROUP for rule, why in told.items()}
    return told


class Claim:
    """Looks, each time it is called, whether the server has its room.

    True: claimed. False: the place was taken. None: not known yet. That a
    place is lost shows in the server only, which costs the cloud more to
    tell than a claim does, so it is asked for less often.
    """

    LOOKS_PER_STATE = 3

    def __init__(self, site: base.Site, member: str, server_id: str) -> None:
        self._site = site
        self._member = member
        self._server_id = server_id
        self._looks = 0

    def __call__(self) -> bool | None:
        self._looks += 1
        if self._site.cloud.is_claimed(self._server_id):
            return True
        if self._looks % self.LOOKS_PER_STATE:
            return None
        return self._judge(self._site.cloud.server_state(self._server_id))

    def _judge(self, state: model.ServerState) -> bool | None:
        if state.progress is model.Progress.BUILDING:
            return None
        if state.progress is model.Progress.READY:
            return True  # our rights do not show claims here
        if state.no_valid_host:
            return False
        raise failure(self._member, state)


def failure(member: str, state: model.ServerState) -> exception.MemberFailed:
    return exception.MemberFailed(
        member, state.reason or f'the server is in status {state.status}'
    )


def await_active(site: base.Site, member: str, asked: spec.ServerSpec) -> None:
    server_id = site.facts(member)['server_id']

    def is_active() -> bool | None:
        state = site.cloud.server_state(server_id)
        if state.progress is model.Progress.BUILDING:
            return None
        if state.progress is not model.Progress.READY:
            raise failure(member, state)
        if state.host is not None and state.host != site.place(member):
            raise exception.MemberFailed(
                member, 'the compute service put it on another host'
            )
        return True

    site.wait(is_active)


def attach_volumes(
    site: base.Site, member: str, asked: spec.ServerSpec
) -> None:
    """Attach one after the other: device names follow the order."""
    server_id = site.facts(member)['server_id']
    for attachment in asked.volumes:
        volume = volume_id(site, attachment.volume)
        site.cloud.attach_volume(server_id, volume, attachment.device)
        site.wait(functools.partial(is_attached, site, member, volume))


def detach(site: base.Site, member: str, volume: str) -> None:
    """Detach a volume and wait until others may have it."""
    server_id = site.facts(member)['server_id']
    site.cloud.detach_volume(server_id, volume)
    come_to_rest(site, volume, without=server_id)


def come_to_rest(
    site: base.Site, volume: str, without: str | None = None
) -> None:
    """Wait until nothing is under way with a volume, and a server is off.

    What is wrong with one is told by whoever uses it.
    """

    def is_at_rest() -> bool | None:
        state = site.cloud.volume_state(volume)
        if state.progress is model.Progress.BUILDING:
            return None
        is_moving = state.status in MOVING or without in state.attached_to
        is_ready = state.progress is model.Progress.READY
        return None if is_ready and is_moving else True

    site.wait(is_at_rest)


def is_attached(site: base.Site, member: str, volume: str) -> bool | None:
    server_id = site.facts(member)['server_id']
    state = site.cloud.volume_state(volume)
    if state.progress in (model.Progress.FAILED, model.Progress.GONE):
        raise exception.MemberFailed(
            member, state.reason or f'its volume is {state.status}'
        )
    if state.progress is model.Progress.READY:
        if server_id in state.attached_to:
            return True
        if state.status == 'available':
            return detached(site, member, server_id, volume)
    return None


def detached(
    site: base.Site, member: str, server_id: str, volume: str
) -> bool | None:
    """A volume that went back to available was refused by the server."""
    server = site.cloud.server_state(server_id)
    if volume in server.attached:
        return None
    raise exception.MemberFailed(
        member, 'the compute service did not attach its volume'
    )


def create_floating_ips(
    site: base.Site, member: str, asked: spec.ServerSpec
) -> None:
    made: list[dict[str, Any]] = []
    for number, nic in enumerate(asked.networks):
        if nic.floating_ip is None:
            continue
        address = site.cloud.ensure_floating_ip(
            site.owner(member, f'fip-{number}'),
            site.resolution.networks[nic.floating_ip.network],
            site.facts(member)['ports'][number]['id'],
        )
        made.append({'id': address.id, 'address': address.address})
        site.record(member, floating_ips=list(made))


#: Step -> what it does, and the kinds of things it makes; in order.
WORK: dict[str, tuple[Work, frozenset[model.Kind]]] = {
    PORTS: (create_ports, frozenset({model.Kind.PORT})),
    SERVER: (hand_over, frozenset({model.Kind.SERVER})),
    ACTIVE: (await_active, frozenset()),
    ATTACHMENTS: (attach_volumes, frozenset()),
    FLOATING_IPS: (create_floating_ips, frozenset({model.Kind.FLOATING_IP})),
}
