# SPDX-License-Identifier: Apache-2.0
"""The graphs: create a cluster, look after it, remove everything of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from taskflow import exceptions as flow_exceptions
from taskflow.patterns import graph_flow, linear_flow, unordered_flow

from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.engine import base, power, removal, tasks
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.change import Change
from heat_vcluster.engine.copying import Copying
from heat_vcluster.engine.inspection import Inspection
from heat_vcluster.members import base as members


def create(build: Build) -> Any:
    """Resolve, reserve, then every step as soon as what it needs is there."""
    return _steps_after(tasks.ReservePlacement(build), build)


def resume(build: Build) -> Any:
    """Resolve, take up what a dead engine left, then what is not done."""
    return _steps_after(tasks.TakeUp(build), build)


def heal(build: Build) -> Any:
    """Resolve, find places anew, then all steps of what is made again."""
    return _steps_after(tasks.PlaceAgain(build), build)


def change(build: Change) -> Any:
    """What comes is built; then those that stay change; then what waits.

    What waits needs what others give up only then: a volume, say. Of what
    is built in batches each batch goes all this way before the next begins.
    """
    steps = build.steps
    late = _late(build, steps)
    flow = graph_flow.Flow(f'change {build.cluster_id}')
    flow.add(
        tasks.ResolveNames(build),
        tasks.TakeUp(build),
        *(
            task
            for stage in range(build.stages)
            for task in _stage(build, steps, late, stage)
        ),
    )
    return flow


def _stage(
    build: Change,
    steps: Sequence[members.Step],
    late: Collection[str],
    stage: int,
) -> Iterator[Any]:
    """Give the tasks of a batch; the last stage is what is in no batch."""
    mine = [step for step in steps if build.stage_of(step.member) == stage]
    first = [step for step in mine if step.symbol not in late]
    is_batch = stage < build.stages - 1
    after = {tasks.batch(stage - 1)} if is_batch and stage else frozenset()
    for step in mine:
        needs = step.requires | after
        if step.symbol in late:
            needs = needs | {tasks.in_place(stage)}
        yield tasks.BuildStep(build, dataclasses.replace(step, requires=needs))
    yield tasks.ChangeInPlace(
        build, stage, {*after, *(step.symbol for step in first)}
    )
    if is_batch:
        yield tasks.EndBatch(build, stage, (step.symbol for step in mine))


def _late(build: Change, steps: Sequence[members.Step]) -> frozenset[str]:
    """Return the symbols of those that wait, and of all that wait for them."""
    late = {step.symbol for step in steps if build.is_late(step)}
    while True:
        more = {s.symbol for s in steps if s.requires & late} - late
        if not more:
            return frozenset(late)
        late |= more


def _steps_after(begins: Any, build: Build) -> Any:
    """All tasks go in by one call: adding or linking them one by one makes
    TaskFlow copy the whole graph each time.
    """
    flow = graph_flow.Flow(f'create {build.cluster_id}')
    flow.add(
        tasks.ResolveNames(build),
        begins,
        *(tasks.BuildStep(build, step) for step in build.steps),
    )
    return flow


def inspect(inspection: Inspection, check: Callable[[], None]) -> Any:
    """Look at all members, side by side; ``check`` raises to stop."""
    flow = graph_flow.Flow('inspect')
    flow.add(
        tasks.SurveyThings(inspection),
        *(
            tasks.ExamineMember(inspection, member, check)
            for member in inspection.members
        ),
    )
    return flow


def change_power(change: power.Change) -> Any:
    """Each server as soon as those that come before it are done."""
    flow = graph_flow.Flow('change power')
    flow.add(*(tasks.ChangePower(change, name) for name in change.before))
    return flow


def copy(copying: Copying) -> Any:
    """Copy all members, side by side."""
    flow = graph_flow.Flow('copy')
    flow.add(*(tasks.CopyMember(copying, name) for name in copying.parts))
    return flow


def cause(error: BaseException) -> BaseException:
    """Return what went wrong first, where a graph tells of several."""
    if isinstance(error, flow_exceptions.WrappedFailure):
        for each in error:
            found: BaseException | None = each.exception
            if found is not None:
                return found
    return error


def remove(
    outside: cloud.Cloud,
    things: Sequence[model.Thing],
    settings: base.Settings,
    left: list[removal.Leftover],
    is_abandoned: Any,
) -> Any:
    """Remove kind after kind, the things of one kind side by side."""
    flow = linear_flow.Flow('remove')
    for kind in model.Kind:
        of_kind = [thing for thing in things if thing.kind is kind]
        if of_kind:
            flow.add(
                unordered_flow.Flow(f'remove {kind}').add(
                    *(
                        tasks.RemoveThing(
                            outside, thing, settings, left, is_abandoned
                        )
                        for thing in of_kind
                    )
                )
            )
    return flow
