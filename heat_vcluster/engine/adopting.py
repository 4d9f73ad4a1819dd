# SPDX-License-Identifier: Apache-2.0
"""Brings what a tenant has made under a cluster, in one engine's hands.

All is looked at again first; then each thing is given the cluster's marks,
and everything is found by them and checked as that of a cluster that was
built. Until the one moment of the record in which the cluster is ACTIVE
nothing of it is the cluster's: whoever takes it back takes off the marks, and
never touches a thing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.db import records
from heat_vcluster.engine import adoption, inspection, releasing
from heat_vcluster.engine import upkeep as upkeeps
from heat_vcluster.members import base as members

#: What is recorded of a thing besides what it is.
ASIDE = (records.LEFT_ALONE, members.TOLD, members.NAMED)


@dataclasses.dataclass(frozen=True, slots=True)
class Adopting:
    """One adoption; ``upkeep`` looks at the members as at any others."""

    record: Any
    upkeep: upkeeps.Upkeep

    def run(self) -> None:
        """Raises whatever is against it; the marks are left to others."""
        work = self.upkeep
        work.writer.add_event(None, 'adopt', 'begun')
        self._look()
        self._mark()
        found = work.inspect()
        self._refuse(found)
        work.keep(found)
        self._tell_domains()
        work.signal.check()
        work.writer.commit_adoption('every member is adopted')

    def _rows(self) -> Any:
        return self.upkeep.store.get_members(self.record.id)

    def _look(self) -> None:
        """Raise unless all is still what was recorded."""
        rows = self._rows()
        named = {row.name: row.resource_id for row in rows}
        work = self.upkeep
        work.signal.check()
        now = {
            each.name: each
            for each in adoption.look(
                work.cloud, work.wanted, named, self.record.id
            )
        }
        for row in rows:
            after = _lasting(now[row.name].facts)
            if _lasting(row.facts) != after:
                raise exception.MemberFailed(
                    row.name, 'it was changed while it was adopted'
                )

    def _mark(self) -> None:
        work = self.upkeep
        for thing in releasing.things(self.record.id, self._rows()):
            work.signal.check()
            work.cloud.adopt(thing.kind, thing.id, thing.owner)

    def _refuse(self, found: inspection.Finding) -> None:
        for name, fault in found.faults.items():
            raise exception.MemberFailed(name, fault)
        if not (self.record.action or {}).get('drifted'):
            adoption.refuse_broken(found, self.upkeep.wanted)

    def _tell_domains(self) -> None:
        for row in self._rows():
            if row.type == 'server' and row.domains:
                self.upkeep.signal.check()
                self.upkeep.cloud.tell_domains(row.resource_id, row.domains)
                self.upkeep.writer.set_member(
                    row.name, facts={members.TOLD: dict(row.domains)}
                )


def _lasting(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fact for key, fact in facts.items() if key not in ASIDE}
