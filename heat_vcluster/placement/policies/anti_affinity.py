# SPDX-License-Identifier: Apache-2.0
"""Anti-affinity: no two units of the group meet in one domain."""

from __future__ import annotations

import collections

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class AntiAffinity(base.Policy):
    """Violation: over all domains, the units in it less one.

    A unit is a member alone, or all members of a nested group; members of
    one unit may share a domain.
    """

    name = 'anti-affinity'
    schema = {'properties': {}, 'required': []}
    disjoint_units = True

    def violation(self, rule: model.Rule, view: base.View) -> int:
        present = self._present(rule, view)
        return sum(units - 1 for units in present.values())

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        present = self._present(rule, view)
        return tuple((rule.scope, d) for d, n in present.items() if n > 1)

    @staticmethod
    def _present(
        rule: model.Rule, view: base.View
    ) -> collections.Counter[str]:
        """Return how many units each domain has, of those it has any."""
        domains = view.domains(rule.members, rule.scope)
        present: collections.Counter[str] = collections.Counter()
        for unit in rule.units:
            present.update({domains[m]: 1 for m in unit if m in domains})
        return present

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        return (constraints.AtMost(rule.scope, rule.units, 1),)

    def sentence(self, rule: model.Rule) -> str:
        several = any(len(unit) > 1 for unit in rule.units)
        return (
            f"anti-affinity group '{rule.name}' keeps its "
            f'{len(rule.units)} {"units" if several else "members"} apart '
            f'by {rule.scope}'
        )
