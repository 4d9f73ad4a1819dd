# SPDX-License-Identifier: Apache-2.0
"""The tasks of the graphs: each does one stage, and undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from taskflow import task

from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.engine import base, removal
from heat_vcluster.engine.build import Build
from heat_vcluster.engine.copying import Copying
from heat_vcluster.engine.inspection import Inspection
from heat_vcluster.engine.power import Change
from heat_vcluster.members import base as members

RESOLUTION = 'resolution'
SURVEY = 'survey'


class Staged(Protocol):
    """What is changed in stages."""

    def change_in_place(self, stage: int) -> None: ...

    def end_batch(self, stage: int, has_work: bool) -> None: ...


def in_place(stage: int) -> str:
    """Return what tells that those of a stage that run are changed."""
    return f'in place {stage}'


def batch(stage: int) -> str:
    """Return what tells that a batch is over, and its pause."""
    return f'batch {stage}'


class ResolveNames(task.Task):
    """Finds the existing things that the document names."""

    def __init__(self, build: Build) -> None:
        super().__init__(name='resolve names', provides=RESOLUTION)
        self._build = build

    def execute(self) -> bool:
        self._build.resolve()
        return True


class ReservePlacement(task.Task):
    """Decides the joint placement and holds it, whole."""

    def __init__(self, build: Build) -> None:
        super().__init__(
            name='reserve placement',
            provides=members.RESERVATION,
            requires=[RESOLUTION],
        )
        self._build = build

    def execute(self, **done: Any) -> bool:
        self._build.reserve()
        return True

    def revert(self, *args: Any, **kwargs: Any) -> None:
        self._build.undo_reservation()


class TakeUp(task.Task):
    """Puts right what a dead engine left, and holds what was held."""

    def __init__(self, build: Build) -> None:
        super().__init__(
            name='take up',
            provides=members.RESERVATION,
            requires=[RESOLUTION],
        )
        self._build = build

    def execute(self, **done: Any) -> bool:
        self._build.take_up()
        return True

    def revert(self, *args: Any, **kwargs: Any) -> None:
        self._build.undo_reservation()


class PlaceAgain(task.Task):
    """Decides and holds where the lost members of a cluster go."""

    def __init__(self, build: Build) -> None:
        super().__init__(
            name='place again',
            provides=members.RESERVATION,
            requires=[RESOLUTION],
        )
        self._build = build

    def execute(self, **done: Any) -> bool:
        self._build.place_again()
        return True

    def revert(self, *args: Any, **kwargs: Any) -> None:
        self._build.undo_reservation()


class ChangeInPlace(task.Task):
    """Changes members that stay; setting them back is not for a revert.

    What was built has to go first.
    """

    def __init__(
        self, build: Staged, stage: int, after: Iterable[str]
    ) -> None:
        super().__init__(
            name=f'change {in_place(stage)}',
            provides=in_place(stage),
            requires=sorted({members.RESERVATION, *after}),
        )
        self._build = build
        self._stage = stage

    def execute(self, **done: Any) -> bool:
        self._build.change_in_place(self._stage)
        return True


class EndBatch(task.Task):
    """Waits for all of a batch, and then for its pause."""

    def __init__(
        self, build: Staged, stage: int, steps: Iterable[str]
    ) -> None:
        steps = sorted(steps)
        super().__init__(
            name=f'end {batch(stage)}',
            provides=batch(stage),
            requires=[in_place(stage), *steps],
        )
        self._build = build
        self._stage = stage
        self._has_work = bool(steps)

    def execute(self, **done: Any) -> bool:
        self._build.end_batch(self._stage, self._has_work)
        return True


class BuildStep(task.Task):
    """Builds one part of one member."""

    def __init__(self, build: Build, step: members.Step) -> None:
        super().__init__(
            name=step.symbol,
            provides=step.symbol,
            requires=sorted(step.requires),
        )
        self.step = step
        self._build = build

    def execute(self, **done: Any) -> bool:
        self._build.perform(self.step)
        return True

    def revert(self, *args: Any, **kwargs: Any) -> None:
        self._build.undo(self.step)


class SurveyThings(task.Task):
    """Finds all that is there of a cluster."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(name='survey things', provides=SURVEY)
        self._inspection = inspection

    def execute(self) -> bool:
        self._inspection.survey()
        return True


class ExamineMember(task.Task):
    """Looks at what one member really is."""

    def __init__(
        self, inspection: Inspection, member: str, check: Callable[[], None]
    ) -> None:
        super().__init__(name=f'examine {member}', requires=[SURVEY])
        self._inspection = inspection
        self._member = member
        self._check = check

    def execute(self, **done: Any) -> None:
        self._check()
        self._inspection.examine(self._member)


class CopyMember(task.Task):
    """Copies a disk of one member; what is made is removed by the whole."""

    def __init__(self, copying: Copying, member: str) -> None:
        super().__init__(name=f'copy {member}')
        self._copying = copying
        self._member = member

    def execute(self) -> None:
        self._copying.execute(self._member)


class ChangePower(task.Task):
    """Stops a server, starts it, ...; is not undone."""

    def __init__(self, change: Change, member: str) -> None:
        super().__init__(
            name=f'power {member}',
            provides=f'power {member}',
            requires=sorted(
                f'power {other}' for other in change.before[member]
            ),
        )
        self._change = change
        self._member = member

    def execute(self, **done: Any) -> bool:
        self._change.execute(self._member)
        return True


class RemoveThing(task.Task):
    """Removes one thing; what refuses to go is noted, never raised."""

    def __init__(
        self,
        outside: cloud.Cloud,
        thing: model.Thing,
        settings: base.Settings,
        left: list[removal.Leftover],
        is_abandoned: Any,
    ) -> None:
        super().__init__(name=f'remove {thing.kind} {thing.id}')
        self._outside = outside
        self._thing = thing
        self._settings = settings
        self._left = left
        self._is_abandoned = is_abandoned

    def execute(self) -> None:
        leftover = removal.remove(
            self._outside,
            self._thing,
            self._settings,
            self._is_abandoned,
            # Where something stays, what it uses is refused for ever.
            is_patient=not self._left,
        )
        if leftover is not None:
            self._left.append(leftover)
