# SPDX-License-Identifier: Apache-2.0
"""Affinity: all members of the group in one domain."""

from __future__ import annotations

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Affinity(base.Policy):
    """Violation: the domains used, less one."""

    name = 'affinity'
    schema = {'properties': {}, 'required': []}

    def violation(self, rule: model.Rule, view: base.View) -> int:
        used = set(view.domains(rule.members, rule.scope).values())
        return max(0, len(used) - 1)

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        used = dict.fromkeys(view.domains(rule.members, rule.scope).values())
        if len(used) < 2:
            return ()
        return tuple((rule.scope, domain) for domain in used)

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        return (constraints.Together(rule.scope, rule.members),)

    def sentence(self, rule: model.Rule) -> str:
        where = 'on' if rule.scope == model.HOST else 'in'
        return (
            f"affinity group '{rule.name}' keeps its "
            f'{base.members_of(rule)} {where} one {rule.scope}'
        )
