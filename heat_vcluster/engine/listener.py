# SPDX-License-Identifier: Apache-2.0
"""Hears the graph run and writes the record: statuses and events."""

from __future__ import annotations

import collections
import threading
from typing import Any

from taskflow import states as task_states
from taskflow.listeners import base as listeners
from taskflow.types import failure as failures

from heat_vcluster import exception, states
from heat_vcluster.engine import base, reasons
from heat_vcluster.engine.build import Build
from heat_vcluster.members import base as members


class Recorder(listeners.Listener):
    """Turns states of tasks into statuses of members and events.

    Writes nothing about a build that is abandoned: whoever goes on with it
    is to find it as it was.
    """

    def __init__(self, engine: Any, writer: base.Writer, build: Build) -> None:
        super().__init__(
            engine,
            task_listen_for=(
                task_states.RUNNING,
                task_states.SUCCESS,
                task_states.FAILURE,
                *(() if build.keeps else (task_states.REVERTING,)),
            ),
            flow_listen_for=(),
        )
        self._writer = writer
        self._build = build
        steps = build.steps
        self._steps = {step.symbol: step for step in steps}
        self._open = collections.Counter(step.member for step in steps)
        self._begun: set[str] = set()
        self._lock = threading.Lock()
        self._hears = {
            task_states.RUNNING: self._begin,
            task_states.SUCCESS: self._finish,
            task_states.FAILURE: self._fail,
            task_states.REVERTING: self._undo,
        }

    def _task_receiver(self, state: str, details: dict[str, Any]) -> None:
        if self._build.abandoned.is_set():
            return
        try:
            self._record(state, details)
        except exception.LeaseLost as lost:  # TaskFlow would only log it
            self._build.abandon(lost)

    def _record(self, state: str, details: dict[str, Any]) -> None:
        step = self._steps.get(details['task_name'])
        if step is not None:
            self._hears[state](step, details)
        elif state == task_states.SUCCESS:
            self._note(None, details['task_name'])

    def _begin(self, step: members.Step, details: dict[str, Any]) -> None:
        with self._lock:
            is_first = step.member not in self._begun
            self._begun.add(step.member)
        if is_first:
            self._writer.set_member(step.member, states.MemberStatus.BUILDING)

    def _finish(self, step: members.Step, details: dict[str, Any]) -> None:
        self._writer.add_event(step.member, step.name, 'done')
        with self._lock:
            self._open[step.member] -= 1
            is_last = not self._open[step.member]
        if is_last:
            self._writer.set_member(
                step.member,
                states.MemberStatus.ACTIVE,
                event=('active', 'it is ready'),
            )

    def _fail(self, step: members.Step, details: dict[str, Any]) -> None:
        error = cause(details.get('result'))
        if isinstance(error, exception.Cancelled):
            return
        reason = reasons.words(error)
        self._writer.set_member(
            step.member,
            states.MemberStatus.ERROR,
            reason=reason,
            event=('failed', reason),
        )

    def _undo(self, step: members.Step, details: dict[str, Any]) -> None:
        # TaskFlow also reverts what was never begun.
        with self._lock:
            is_first = step.member in self._begun
            self._begun.discard(step.member)
        if is_first:
            self._writer.set_member(
                step.member,
                states.MemberStatus.DELETING,
                event=('rollback', 'being removed'),
            )

    def _note(self, member: str | None, what: str) -> None:
        self._writer.add_event(member, what.replace(' ', '_'), 'done')


def cause(result: Any) -> BaseException | None:
    if isinstance(result, failures.Failure):
        error: BaseException | None = result.exception
        return error
    return None
