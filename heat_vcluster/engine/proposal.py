# SPDX-License-Identifier: Apache-2.0
"""What a change would do: to each member, and where what comes would go.

The same for a dry run and for the engine that carries it out; nothing here
changes anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, cast

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.db import records
from heat_vcluster.engine import base, decision, remembered, rolling
from heat_vcluster.engine import build as builds
from heat_vcluster.placement import columns
from heat_vcluster.placement import model as placement
from heat_vcluster.spec import counts, difference, incarnations
from heat_vcluster.spec import model as spec

Load = Callable[[Any], spec.GroupSpec]
Fate = difference.Fate

BESIDE = (
    'those that are replaced are there until the end, so that there has to '
    'be room for the new ones beside the old ones'
)
RESIZED = (
    'a server that gets another flavor has the old one until the end, so that '
    'there has to be room for the new one beside it'
)


@dataclasses.dataclass(frozen=True, slots=True)
class InPlace:
    """A member that runs, and what it is to be instead."""

    member: str
    before: spec.MemberSpec
    after: spec.MemberSpec


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """One document in another's place, by the members' inside names.

    ``old`` and ``new`` are the two requests, ``fates`` the difference by the
    tenant's names. ``in_place`` has those that are changed while they run,
    ``batches`` the servers that replace others a few at a time.
    """

    document: Mapping[str, Any]
    old: spec.GroupSpec
    new: spec.GroupSpec
    fates: difference.Difference
    in_place: tuple[InPlace, ...]
    batches: tuple[rolling.Batch, ...] = ()

    @property
    def resizing(self) -> tuple[str, ...]:
        """Return the servers that stay, and get another flavor."""
        still = {member.name for member in self.new.members}
        return tuple(
            each.member
            for each in self.in_place
            if each.member in still
            and isinstance(each.before, spec.ServerSpec)
            and isinstance(each.after, spec.ServerSpec)
            and each.before.flavor != each.after.flavor
        )

    @property
    def may_drift(self) -> bool:
        """Tell whether those that stay may break the new rules for now.

        The new document has to say so; and nobody may need a place by them.
        """
        return difference.may_drift(self.document) and self.is_of_rules

    @property
    def is_of_rules(self) -> bool:
        """Tell whether nothing needs another place, or one at all."""
        return not self.coming and not self.resizing

    @property
    def coming(self) -> tuple[str, ...]:
        there = {member.name for member in self.old.members}
        return tuple(
            member.name
            for member in self.new.members
            if member.name not in there
        )

    @property
    def staying(self) -> tuple[str, ...]:
        there = {member.name for member in self.old.members}
        return tuple(
            member.name for member in self.new.members if member.name in there
        )

    @property
    def going(self) -> tuple[str, ...]:
        still = {member.name for member in self.new.members}
        return tuple(
            member.name
            for member in self.old.members
            if member.name not in still
        )


def running(rows: Iterable[records.MemberRecord]) -> dict[str, str]:
    """Return the tenant's name -> inside name, of those that are there."""
    return {
        incarnations.shown(row.name): row.name
        for row in rows
        if row.role is not records.Role.COMING
    }


def inside(
    load: Load,
    document: Mapping[str, Any],
    rows: Iterable[records.MemberRecord],
) -> spec.GroupSpec:
    """Return what a document asks, by the inside names of who is there."""
    return incarnations.rename(load(document), running(rows))


def check(load: Load, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise InvalidDocument if that cannot be, or the new one forbids it."""
    before, after = load(old), load(new)
    difference.check(before, after, difference.of(before, after))


def compare(
    load: Load,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    rows: Iterable[records.MemberRecord],
    number: int,
) -> Proposal:
    """Say what it takes; pure. ``number`` is the change's own.

    ``new`` says already which copies of counted instances there are. Raises
    InvalidDocument.
    """
    before, after = load(old), load(new)
    fates = difference.of(before, after)
    names = running(rows)
    names_after = {
        verdict.member: names[verdict.member]
        if verdict.fate in (Fate.KEPT, Fate.CHANGED)
        else incarnations.name(verdict.member, number)
        for verdict in fates.verdicts
        if verdict.fate is not Fate.REMOVED
    }
    inside_old = incarnations.rename(before, names)
    inside_new = incarnations.rename(after, names_after)
    changed = {
        names[name]: inside_new.member(names[name]).spec
        for name in fates.having(Fate.CHANGED)
    }
    in_place = tuple(_in_place(inside_old, inside_new, changed))
    return Proposal(
        after.document,
        inside_old,
        inside_new,
        fates,
        in_place,
        rolling.batches(
            inside_old,
            inside_new,
            frozenset(each.member for each in in_place),
        ),
    )


def _in_place(
    old: spec.GroupSpec,
    new: spec.GroupSpec,
    changed: Mapping[str, spec.MemberSpec],
) -> Iterator[InPlace]:
    """Give those that change; and those that go, but give up volumes first."""
    wanted = {
        attachment.volume
        for member in new.members
        if isinstance(member.spec, spec.ServerSpec)
        for attachment in member.spec.volumes
    }
    still = {member.name for member in new.members}
    for member in old.members:
        if member.name in changed:
            yield InPlace(member.name, member.spec, changed[member.name])
        elif member.name not in still and isinstance(
            member.spec, spec.ServerSpec
        ):
            kept = tuple(
                attachment
                for attachment in member.spec.volumes
                if attachment.volume not in wanted
            )
            if kept != member.spec.volumes:
                after = dataclasses.replace(member.spec, volumes=kept)
                yield InPlace(member.name, member.spec, after)


# -- where they really are ----------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A cluster as it runs: its members, and the cloud around them.

    ``known`` as in Pseudonyms. ``places`` has where each member really is,
    ``lost`` the members that are not there or not sound any more.
    """

    rows: tuple[records.MemberRecord, ...]
    known: Mapping[tuple[str, str], str]
    places: Mapping[str, str]
    lost: frozenset[str]

    def around(self, reading: model.Reading) -> model.Reading:
        """Return a reading in which all these places are to be seen."""
        before = remembered.snapshot(self.rows, self.known)
        merged = builds.merge(
            reading.snapshot, before, set(self.places.values())
        )
        return dataclasses.replace(reading, snapshot=merged)

    @property
    def unremembered(self) -> frozenset[str]:
        """Return the places that members are at by others' doing."""
        recorded = {row.name: row.place for row in self.rows}
        return frozenset(
            place
            for name, place in self.places.items()
            if place != recorded[name]
        )


def look(
    outside: cloud.Cloud,
    rows: Iterable[records.MemberRecord],
    known: Mapping[tuple[str, str], str],
) -> Running:
    """Ask where the members really are; raises CloudError."""
    rows = tuple(row for row in rows if row.role is not records.Role.COMING)
    places: dict[str, str] = {}
    lost = set()
    for row in rows:
        is_sound, place = _find(outside, row)
        if not is_sound:
            lost.add(row.name)
        if place or row.place:
            places[row.name] = place or row.place or ''
    return Running(rows, known, places, frozenset(lost))


def _find(
    outside: cloud.Cloud, row: records.MemberRecord
) -> tuple[bool, str | None]:
    """Tell whether a member is there and sound, and at which place."""
    if row.place is None or row.resource_id is None:
        return row.resource_id is not None, None
    if row.type == 'server':
        server = outside.server_state(row.resource_id)
        return server.progress is model.Progress.READY, server.host
    volume = outside.volume_state(row.resource_id)
    return volume.progress is model.Progress.READY, volume.pool


def resolve(
    outside: cloud.Cloud, wanted: spec.GroupSpec, staying: Collection[str]
) -> model.Resolution:
    """Find out what the names mean; of those that stay they need not.

    An image may be gone, and the servers made of it run on. Raises
    InvalidDocument.
    """
    try:
        return outside.resolve(wanted, is_begun=True)
    except exception.InvalidDocument as error:
        passed = {
            member.name
            for member in wanted.members
            if member.name in staying
            and any(_is_below(f.path, member.path) for f in error.faults)
        }
        others = {member.name for member in wanted.members} - passed
        if not passed:
            raise
        return outside.resolve(
            incarnations.only(wanted, others), is_begun=True
        )


def _is_below(path: str, above: str) -> bool:
    return path.startswith((f'{above}.', f'{above}['))


# -- who of several alike is to go --------------------------------------------


def settle(
    load: Load,
    old: Mapping[str, Any],
    wanted: Mapping[str, Any],
    remove: Sequence[str],
    choose: Callable[[spec.GroupSpec, Sequence[Choice]], Iterable[str]],
) -> Mapping[str, Any]:
    """Return the document with the numbers of all copies settled.

    Where some have to go, those that ``remove`` names do, and of the others
    whom ``choose`` says; it is given the request with all of them still in
    it. Raises InvalidRequest if ``remove`` cannot be, and InvalidDocument.
    """
    counts.check_removal(old, wanted, remove)
    grown = counts.grown(old, wanted)
    gone: list[str] = []
    choices = []
    for shrinking in counts.shrinking(old, wanted):
        named = {
            number
            for number in shrinking.running
            if set(shrinking.copies(number)) & set(remove)
        }
        gone.extend(c for n in named for c in shrinking.copies(n))
        units = [shrinking.copies(n) for n in shrinking.free if n not in named]
        number = shrinking.number - len(named)
        if number >= len(units):
            gone.extend(name for unit in units for name in unit)
        elif number > 0:
            choices.append(Choice(tuple(units), number))
    if choices:
        gone.extend(choose(load(counts.without(grown, gone)), choices))
    return counts.without(grown, gone)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """So many of these units are to go; each has copies that are tied."""

    units: tuple[tuple[str, ...], ...]
    number: int


def choose(
    outside: cloud.Cloud,
    planner: base.Planner,
    now: Running,
    whole: spec.GroupSpec,
    choices: Iterable[Choice],
) -> list[str]:
    """Choose those without whom the rules of ``whole`` are best.

    Who is lost goes first. All names are the tenant's.
    """
    names = running(now.rows)
    lost = {incarnations.shown(name) for name in now.lost}
    places = {
        name: now.places[inside]
        for name, inside in names.items()
        if inside in now.places
        and any(member.name == name for member in whole.members)
    }
    whole = incarnations.only(whole, places)
    found = resolve(outside, whole, places.keys())
    snapshot, demands = outside.snapshot(found.demands)
    reading = now.around(model.Reading(snapshot, demands, is_whole=True))
    gone: list[str] = []
    for choice in choices:
        ruined = [u for u in choice.units if lost & set(u)][: choice.number]
        sound = [unit for unit in choice.units if unit not in ruined]
        gone.extend(name for unit in ruined for name in unit)
        left = {n: p for n, p in places.items() if n not in gone}
        for unit in planner.departures(
            incarnations.only(whole, left),
            [d for d in demands if d.member in left],
            reading.snapshot,
            left,
            sound,
            choice.number - len(ruined),
        ):
            gone.extend(unit)
    return gone


# -- where all of it is to be -------------------------------------------------


def decide(
    outside: cloud.Cloud,
    planner: base.Planner,
    proposal: Proposal,
    now: Running,
    found: model.Resolution,
    *,
    seed: str,
    used: Mapping[str, Mapping[str, int]],
    check: Callable[[], None] = lambda: None,
) -> decision.Decision:
    """Plan what comes beside all that is there, whatever goes later.

    Those that stay keep their places, wherever they really are. Raises
    MemberFailed if one of them is lost, and as the planner does.
    """
    for name in proposal.staying:
        if name in now.lost:
            raise exception.MemberFailed(
                name, 'it is not there, or failed, and cannot be built upon'
            )
    resizing = {
        name: now.places[name]
        for name in proposal.resizing
        if name in now.places
    }
    pinned = {
        name: now.places[name]
        for name in (*proposal.staying, *_waiting(proposal))
        if name in now.places and name not in resizing
    }

    def seen(reading: model.Reading) -> model.Reading:
        check()
        around = now.around(reading)
        if reading.is_whole:
            _refuse_unknown(decision.unseen(around, now.unremembered), pinned)
        return around

    def attempt(look: decision.Look) -> decision.Decision:
        return decision.decide(
            outside,
            planner,
            rolling.with_moments(proposal.old, proposal.new, proposal.batches),
            found.demands,
            seed=seed,
            pinned=pinned,
            used=used,
            choices=found.choices,
            look=look,
            sees=now.unremembered | frozenset(resizing.values()),
        )

    try:
        made = _preferring_to_stay(attempt, seen, resizing)
    except exception.NoValidPlacement as refusal:
        if proposal.fates.having(Fate.REPLACED):
            raise refusal.because(BESIDE) from refusal
        if resizing:
            raise refusal.because(RESIZED) from refusal
        raise
    wanted = {member.name for member in proposal.new.members}
    places = {
        name: place
        for name, place in made.plan.placement.items()
        if name in wanted
    }
    return dataclasses.replace(
        made, plan=dataclasses.replace(made.plan, placement=places)
    )


def _preferring_to_stay(
    attempt: Callable[[decision.Look], decision.Decision],
    seen: decision.Look,
    here: Mapping[str, str],
) -> decision.Decision:
    """Keep those that are resized where they are, if there is such a plan."""
    if here:
        with contextlib.suppress(exception.NoValidPlacement):
            return attempt(lambda reading: _staying(seen(reading), here))
    return attempt(seen)


def _staying(reading: model.Reading, here: Mapping[str, str]) -> model.Reading:
    """Let those have no other choice that have the room where they are."""
    table = columns.of(reading.snapshot.hosts, reading.snapshot.levels)
    numbers = {name: number for number, name in enumerate(table.names)}

    def fits(demand: placement.Demand, host: str) -> bool:
        return (
            isinstance(demand, placement.ServerDemand)
            and host in numbers
            and (demand.candidates is None or host in demand.candidates)
            and table.has_room(numbers[host], demand.resources)
        )

    return dataclasses.replace(
        reading,
        demands=tuple(
            dataclasses.replace(
                demand, candidates=frozenset({here[demand.member]})
            )
            if demand.member in here and fits(demand, here[demand.member])
            else demand
            for demand in reading.demands
        ),
    )


def check_disks(proposal: Proposal, found: model.Resolution) -> None:
    """Raise InvalidDocument for disks that would have to become smaller.

    Those that boot from a volume have none of the flavor's as their root.
    """
    faults: dict[str, exception.Fault] = {}
    for name in proposal.resizing:
        before, member = proposal.old.member(name), proposal.new.member(name)
        one = cast(spec.ServerSpec, before.spec)
        two = cast(spec.ServerSpec, member.spec)
        old, new = found.disks.get(one.flavor), found.disks.get(two.flavor)
        if old is None or new is None:
            continue
        has_root = two.boot_volume is None
        if (has_root and new[0] < old[0]) or new[1] < old[1]:
            path = f'{member.path}.spec.flavor'
            faults[path] = exception.Fault(
                path,
                f"the disk of '{member.base}' cannot become smaller; name "
                'flavor in update_policy.replace_on to have it replaced',
            )
    if faults:
        raise exception.InvalidDocument(list(faults.values()))


def _refuse_unknown(
    places: Collection[str], pinned: Mapping[str, str]
) -> None:
    """Raise MemberFailed if one was moved to where no rule can judge it."""
    for name, place in pinned.items():
        if place in places:
            raise exception.MemberFailed(
                name, 'it was moved, and where it is now cannot be told'
            )


def _waiting(proposal: Proposal) -> Iterator[str]:
    """Yield those that go, but are in service for more than one batch."""
    before = {
        incarnations.shown(member.name): member.name
        for member in proposal.old.members
    }
    for batch in proposal.batches[1:]:
        for name in batch:
            if before[incarnations.shown(name)] != name:
                yield before[incarnations.shown(name)]
