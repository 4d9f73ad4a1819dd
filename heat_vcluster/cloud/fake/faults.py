# SPDX-License-Identifier: Apache-2.0
"""What is to go wrong in the fake cloud, and the record of every call.

A fault applies to calls by the name of their method and, if a ``member`` is
given, only to those about that member. ``times`` None: for ever.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import model

#: What ``ruin`` may name besides a kind: an attachment that nova gives up.
ATTACHMENT = 'attachment'
#: Or a server that breaks, or never gets done, when it is stopped, ...
POWER = 'power'
#: Or a server that is not moved after all.
MOVE = 'move'
#: Or one that does not get its new flavor after all.
RESIZE = 'resize'
BUILDING = 'building'
DELETING = 'deleting'


class CloudDeath(BaseException):
    """Our own process "dies" here: nothing may catch it and go on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call; ``number`` counts from 1. ``members``: whom it is about."""

    number: int
    name: str
    project_id: str | None
    members: frozenset[str]
    arguments: Mapping[str, Any]


Action = Callable[[Call], object]


@dataclasses.dataclass(slots=True)
class _Fault:
    """``at`` is 'before' or 'after' the call's effect."""

    name: str
    member: str | None
    action: Action
    times: int | None
    at: str
    kind: model.Kind | None = None

    def take(self, call: Call, at: str) -> bool:
        """Tell whether it applies now, and use it up by one."""
        applies = (
            self.at == at
            and self.name == call.name
            and (self.member is None or self.member in call.members)
            and (
                self.kind is None
                or self.kind == call.arguments.get('thing_kind')
            )
        )
        return applies and _spend(self)


@dataclasses.dataclass(slots=True)
class _Spell:
    """Something about a thing of a member, for as long as it says."""

    what: str
    phase: str
    member: str | None
    reason: str
    times: int | None


def _spend(limited: _Fault | _Spell) -> bool:
    if limited.times is None:
        return True
    limited.times -= 1
    return limited.times >= 0


class Faults:
    """Orders what goes wrong; may be changed while the cloud is in use."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._faults: list[_Fault] = []
        self._spells: list[_Spell] = []
        self._death: tuple[int, str | None, str] | None = None
        self._is_dead = False
        self._lock = threading.Lock()

    # Orders

    def fail(
        self,
        name: str,
        *,
        error: BaseException,
        member: str | None = None,
        times: int | None = 1,
    ) -> None:
        """Let calls raise an error, without any effect."""
        self.before(name, member, _raiser(error), times)

    def fail_late(
        self,
        name: str,
        *,
        error: BaseException,
        member: str | None = None,
        times: int | None = 1,
    ) -> None:
        """Let calls have their effect and raise all the same.

        As a connection does that breaks before the answer.
        """
        self.after(name, member, _raiser(error), times)

    def before(
        self,
        name: str,
        member: str | None,
        action: Action,
        times: int | None = 1,
    ) -> None:
        """Act at a moment: ``action(call)`` runs before the call's effect."""
        self._faults.append(_Fault(name, member, action, times, 'before'))

    def after(
        self,
        name: str,
        member: str | None,
        action: Action,
        times: int | None = 1,
    ) -> None:
        """Act after the call's effect, before its caller gets the answer."""
        self._faults.append(_Fault(name, member, action, times, 'after'))

    def lose_reservations(self, times: int | None = 1) -> None:
        """Let somebody else be quicker at every reservation."""
        self.fail(
            'reserve',
            error=exception.ReservationConflict('The room is gone'),
            times=times,
        )

    def refuse_delete(
        self,
        kind: model.Kind,
        member: str | None = None,
        *,
        times: int | None = None,
        error: exception.CloudError | None = None,
    ) -> None:
        """Let the removal of a kind of thing be refused."""
        refusal = error or exception.CloudError('fake', f'{kind} is in use')
        self._faults.append(
            _Fault('delete', member, _raiser(refusal), times, 'before', kind)
        )

    def stick(
        self,
        kind: model.Kind,
        member: str | None = None,
        *,
        phase: str = BUILDING,
    ) -> None:
        """Let a server or volume never end to build, or to be deleted."""
        self._spells.append(_Spell(str(kind), phase, member, '', None))

    def ruin(
        self,
        what: model.Kind | str,
        member: str | None = None,
        *,
        reason: str = 'it broke while it was built',
        times: int | None = 1,
    ) -> None:
        """Let a server, volume or ATTACHMENT end in failure, not ready."""
        self._spells.append(_Spell(str(what), 'ruin', member, reason, times))

    def crash_at(
        self, number: int, name: str | None = None, *, at: str = 'before'
    ) -> None:
        """Die at the n-th call from now (of that name, if given).

        That call and all after it raise CloudDeath, in every thread, until
        ``revive``. ``at`` 'after': it has its effect, but no answer.
        """
        if number < 1 or at not in ('before', 'after'):
            raise ValueError('a call from 1 on, "before" or "after"')
        self._death = (number, name, at)

    def die(self) -> None:
        """Die now: raises CloudDeath, as all calls do until ``revive``."""
        self._die()

    def revive(self) -> None:
        """Let a new process begin: calls are answered again."""
        self._death = None
        self._is_dead = False

    @property
    def is_dead(self) -> bool:
        return self._is_dead

    def clear(self) -> None:
        """Take all orders back; calls stay on record."""
        self._faults.clear()
        self._spells.clear()
        self.revive()

    # What the cloud asks

    def enter(
        self,
        name: str,
        project_id: str | None,
        members: frozenset[str],
        arguments: Mapping[str, Any],
    ) -> Call:
        """Record a call; raise or act as was ordered for before it."""
        with self._lock:
            self._check_alive()
            number = len(self.calls) + 1
            call = Call(number, name, project_id, members, arguments)
            self.calls.append(call)
            dies = self._count_down(call)
            if dies == 'before':
                self._die()
            due = [each for each in self._faults if each.take(call, 'before')]
        _act(due, call)
        if dies == 'after':
            # Its effect comes first: the death waits at the exit.
            self._faults.append(_Fault(name, None, self._die_now, 1, 'after'))
        return call

    def leave(self, call: Call) -> None:
        """Raise or act as was ordered for after the call's effect."""
        with self._lock:
            due = [each for each in self._faults if each.take(call, 'after')]
        _act(due, call)
        with self._lock:
            self._check_alive()

    def is_stuck(
        self, kind: model.Kind, member: str | None, phase: str
    ) -> bool:
        return self._spell(str(kind), phase, member) is not None

    def ruined(self, what: model.Kind | str, member: str | None) -> str | None:
        """Return why the thing breaks, if it is to; uses the order up."""
        spell = self._spell(str(what), 'ruin', member)
        return None if spell is None else spell.reason

    # Below

    def _spell(
        self, what: str, phase: str, member: str | None
    ) -> _Spell | None:
        with self._lock:
            for spell in self._spells:
                if (
                    (spell.what, spell.phase) == (what, phase)
                    and spell.member in (None, member)
                    and _spend(spell)
                ):
                    return spell
        return None

    def _count_down(self, call: Call) -> str | None:
        if self._death is None:
            return None
        number, name, at = self._death
        if name not in (None, call.name):
            return None
        self._death = (number - 1, name, at) if number > 1 else None
        return at if number == 1 else None

    def _check_alive(self) -> None:
        if self._is_dead:
            raise CloudDeath('this process is dead')

    def _die(self) -> None:
        self._is_dead = True
        raise CloudDeath('this process dies now')

    def _die_now(self, call: Call) -> None:
        self._die()


def _raiser(error: BaseException) -> Action:
    def act(call: Call) -> None:
        # A fresh copy: tracebacks of several threads must not mix.
        raise error.with_traceback(None)

    return act


def _act(due: list[_Fault], call: Call) -> None:
    for fault in due:
        fault.action(call)
