# SPDX-License-Identifier: Apache-2.0
"""What is done about a cluster that is built: checked, for a start.

Each verb is a status of the cluster while it is done; at its end the cluster
is what it was before, or what was asked for, and its reason tells a failure.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from taskflow import exceptions as flow_exceptions

from heat_vcluster import exception, states
from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import base, build, flows, inspection, reasons
from heat_vcluster.engine import lease as leases
from heat_vcluster.engine import runner as runners
from heat_vcluster.placement import pseudonyms
from heat_vcluster.spec import model as spec

ClusterStatus = states.ClusterStatus
MemberStatus = states.MemberStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Upkeep:
    """One cluster that is built, in the hands of one engine."""

    record: Any
    wanted: spec.GroupSpec
    cloud: cloud.Cloud
    planner: base.Planner
    store: base.Store
    writer: base.Writer
    signal: leases.Signal
    runner: runners.Runner

    @property
    def home(self) -> ClusterStatus:
        """What the cluster was when the verb was asked for."""
        return home_of(self.record)

    def run(self) -> ClusterStatus:
        """Do what the status says; return what the cluster is then."""
        return _VERBS[self.record.status](self)

    # -- check ------------------------------------------------------------

    def check(self) -> ClusterStatus:
        self.writer.add_event(None, 'check', 'begun')
        self.keep(self.inspect())
        return self.home

    def inspect(self) -> inspection.Finding:
        """Look at everything; nothing is changed."""
        look = inspection.Inspection(
            self.record.id,
            self.wanted,
            self.store.get_members(self.record.id),
            self.cloud,
            self.planner,
            self.home,
        )
        self.signal.check()
        self.runner.run(flows.inspect(look, self.signal.check))
        self.signal.check()
        return look.conclude()

    def keep(self, found: inspection.Finding) -> None:
        """Let the record follow what was found, and tell of it."""
        named = pseudonyms.assign(found.places, found.snapshot, self._known())
        self.writer.set_domains(build.by_scope(named.known))
        self.writer.set_plan(pseudonyms.disguise(found.plan, named.known))
        self.writer.set_members(
            {
                row.name: self._changes(row, found, named.of_member)
                for row in self.store.get_members(self.record.id)
            }
        )
        shown = inspection.show(found, self.wanted, named.known, _now())
        self.writer.set_compliance(shown)
        self._tell(shown)

    def _changes(
        self,
        row: Any,
        found: inspection.Finding,
        domains: Mapping[str, Mapping[str, str]],
    ) -> dict[str, Any]:
        fault = found.faults.get(row.name)
        return {
            'status': MemberStatus.ERROR if fault else MemberStatus.ACTIVE,
            'reason': fault,
            'place': found.places.get(row.name),
            'domains': dict(domains.get(row.name, {})),
        }

    def _known(self) -> dict[tuple[str, str], str]:
        return {
            (row.scope, row.real): row.pseudonym
            for row in self.store.get_domains(self.record.id)
        }

    def _tell(self, shown: Mapping[str, Any]) -> None:
        for fault in shown['members']:
            self.writer.add_event(fault['member'], 'degraded', fault['reason'])
        for rule in shown['rules']:
            self.writer.add_event(None, 'drifted', words_of(rule))
        self.writer.add_event(None, 'checked', shown['status'])


def home_of(record: Any) -> ClusterStatus:
    return ClusterStatus((record.action or {}).get('home', 'ACTIVE'))


def words_of(rule: Mapping[str, Any]) -> str:
    """Say which rule does not hold, for whom and where."""
    where = f' ({", ".join(rule["where"])})' if rule['where'] else ''
    return (
        f'{rule["policy"]} group {rule["group"]} does not hold for '
        f'{", ".join(rule["members"])}{where}'
    )


def failed(record: Any, error: BaseException) -> str:
    """Say that what was asked for could not be done, and why."""
    if isinstance(error, exception.Interrupted):
        words = 'its engine died while it was at work; ask for it again'
    else:
        words = reasons.words(error)
    return f'{NAMES[record.status]}: {words}'


def cause(error: BaseException) -> BaseException:
    """Return what went wrong first, where a graph tells of several."""
    if isinstance(error, flow_exceptions.WrappedFailure):
        for each in error:
            found: BaseException | None = each.exception
            if found is not None:
                return found
    return error


def _now() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return now.isoformat(timespec='milliseconds')


_VERBS = {ClusterStatus.CHECKING: Upkeep.check}

#: The verb that leads to a status.
NAMES = {ClusterStatus.CHECKING: 'check'}
