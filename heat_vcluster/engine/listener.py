# SPDX-License-Identifier: Apache-2.0
"""Hears the graph run and has it recorded: statuses and events."""

from __future__ import annotations

import collections
import logging
import threading
from typing import Any

from taskflow import states as task_states
from taskflow.listeners import base as listeners
from taskflow.types import failure as failures

from heat_vcluster import exception, states
from heat_vcluster.db import records
from heat_vcluster.engine import reasons
from heat_vcluster.engine.build import Build
from heat_vcluster.members import base as members

LOG = logging.getLogger(__name__)


class Recorder(listeners.Listener):
    """Turns states of tasks into statuses of members and events.

    They are written when the graph pauses, and before a member is begun.
    Tells nothing of a build that is abandoned: whoever goes on with it is to
    find it as it was.
    """

    def __init__(self, engine: Any, build: Build) -> None:
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

    def flush(self) -> None:
        """Write what came in; it may take until the next time."""
        try:
            self._build.journal.flush()
        except exception.LeaseLost as lost:
            self._build.abandon(lost)
        except exception.ServiceUnavailable as error:
            LOG.warning('Not written for now: %s', error)

    def _task_receiver(self, state: str, details: dict[str, Any]) -> None:
        if self._build.abandoned.is_set():
            return
        step = self._steps.get(details['task_name'])
        if step is not None:
            self._hears[state](step, details)
        elif state == task_states.SUCCESS:
            kind = details['task_name'].replace(' ', '_')
            self._add(None, event=(kind, 'done'))

    def _add(self, member: str | None, **news: Any) -> None:
        self._build.journal.add(records.News(member, **news))

    def _begin(self, step: members.Step, details: dict[str, Any]) -> None:
        with self._lock:
            is_first = step.member not in self._begun
            self._begun.add(step.member)
        if is_first:
            self._add(step.member, status=states.MemberStatus.BUILDING)

    def _finish(self, step: members.Step, details: dict[str, Any]) -> None:
        self._add(step.member, event=(step.name, 'done'))
        with self._lock:
            self._open[step.member] -= 1
            is_last = not self._open[step.member]
        if is_last:
            self._add(
                step.member,
                status=states.MemberStatus.ACTIVE,
                event=('active', 'it is ready'),
            )

    def _fail(self, step: members.Step, details: dict[str, Any]) -> None:
        error = cause(details.get('result'))
        if isinstance(error, exception.Cancelled):
            return
        reason = reasons.words(error)
        self._add(
            step.member,
            status=states.MemberStatus.ERROR,
            event=('failed', reason),
            values={'reason': reason},
        )

    def _undo(self, step: members.Step, details: dict[str, Any]) -> None:
        # TaskFlow also reverts what was never begun.
        with self._lock:
            is_first = step.member in self._begun
            self._begun.discard(step.member)
        if is_first:
            self._add(
                step.member,
                status=states.MemberStatus.DELETING,
                event=('rollback', 'being removed'),
            )


def cause(result: Any) -> BaseException | None:
    if isinstance(result, failures.Failure):
        error: BaseException | None = result.exception
        return error
    return None
