# SPDX-License-Identifier: Apache-2.0
"""A volume member: made in the planned pool, verified afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.members import base
from heat_vcluster.spec import model as spec

VOLUME = 'volume'


class Volume(base.MemberType):
    name = 'volume'

    def step_names(self, asked: spec.MemberSpec) -> tuple[str, ...]:
        return (VOLUME,)

    def steps(
        self, wanted: spec.GroupSpec, member: spec.Member
    ) -> tuple[base.Step, ...]:
        asked = cast(spec.VolumeSpec, member.spec)
        return (
            base.Step(
                member.name,
                VOLUME,
                lambda site: create_volume(site, member.name, asked),
                base.ready(wanted, member.depends_on) | {base.RESERVATION},
                frozenset({model.Kind.VOLUME}),
            ),
        )

    def resource_id(self, facts: Mapping[str, Any]) -> str | None:
        return facts.get('volume_id')

    def things(
        self, facts: Mapping[str, Any]
    ) -> tuple[tuple[model.Kind, str, str], ...]:
        if 'volume_id' not in facts:
            return ()
        return ((model.Kind.VOLUME, facts['volume_id'], ''),)

    def change(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        one = cast(spec.VolumeSpec, before).metadata
        two = cast(spec.VolumeSpec, after).metadata
        marks = model.Marks(
            {key: text for key, text in two.items() if one.get(key) != text},
            frozenset(one.keys() - two.keys()),
        )
        if not marks.is_empty:
            site.cloud.mark_volume(site.facts(member)['volume_id'], marks)

    def grow(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        size = cast(spec.VolumeSpec, after).size
        if size > cast(spec.VolumeSpec, before).size:
            extend(site, member, size)

    def remains(
        self,
        site: base.Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> str | None:
        size = cast(spec.VolumeSpec, before).size
        if cast(spec.VolumeSpec, after).size <= size:
            return None
        state = site.cloud.volume_state(site.facts(member)['volume_id'])
        if state.size_gb is None or state.size_gb <= size:
            return None
        return f'it has {state.size_gb} GiB now, and cannot have less again'

    def take_up(
        self, site: base.Site, member: str, there: Sequence[model.Thing]
    ) -> None:
        for thing in there:
            if thing.kind is model.Kind.VOLUME:
                state = site.cloud.volume_state(thing.id)
                if state.progress is model.Progress.FAILED:
                    raise failure(member, state)

    def examine(
        self, scene: base.Scene, member: spec.Member
    ) -> base.Condition:
        state = scene.cloud.volume_state(scene.facts[member.name]['volume_id'])
        if state.progress is model.Progress.GONE:
            return base.Condition(None, 'its volume is gone', is_lost=True)
        if state.progress is not model.Progress.READY:
            fault = f'its volume is {state.status}'
            return base.Condition(state.pool, fault)
        return base.Condition(state.pool)


def create_volume(
    site: base.Site, member: str, asked: spec.VolumeSpec
) -> None:
    found = site.resolution
    planned = site.place(member)
    volume_id = site.cloud.ensure_volume(
        site.owner(member),
        model.VolumeRequest(
            name=site.name_of(member),
            spec=asked,
            pool=planned,
            image_id=asked.image and found.images[asked.image],
            type_id=asked.volume_type
            and found.volume_types[asked.volume_type],
        ),
    )
    site.record(member, volume_id=volume_id)
    state = site.wait(lambda: settled_volume(site, member, volume_id))
    if None not in (state.pool, planned) and state.pool != planned:
        raise exception.MemberFailed(
            member, 'the volume service put it in another place than planned'
        )


def extend(site: base.Site, member: str, size: int) -> None:
    """Ask for more room and wait for it; a refusal is told by the size."""
    volume_id = site.facts(member)['volume_id']
    site.cloud.extend_volume(volume_id, size)

    def is_extended() -> bool | None:
        state = site.cloud.volume_state(volume_id)
        if state.progress is model.Progress.BUILDING:
            return None
        if state.progress is not model.Progress.READY:
            raise failure(member, state)
        if state.size_gb is not None and state.size_gb < size:
            raise exception.MemberFailed(
                member,
                'the volume service has not extended it'
                + (f': {state.reason}' if state.reason else ''),
            )
        return True

    site.wait(is_extended)


def settled_volume(
    site: base.Site, member: str, volume_id: str
) -> model.VolumeState | None:
    """Return the state once the volume is ready; None while it builds."""
    state = site.cloud.volume_state(volume_id)
    if state.progress is model.Progress.READY:
        return state
    if state.progress is model.Progress.BUILDING:
        return None
    raise failure(member, state)


def failure(member: str, state: model.VolumeState) -> exception.MemberFailed:
    return exception.MemberFailed(
        member, state.reason or f'the volume is in status {state.status}'
    )
