# SPDX-License-Identifier: Apache-2.0
"""Exclusive: nobody else in the domains of the group."""

from __future__ import annotations

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Exclusive(base.Policy):
    """Violation: the domains used that are shared.

    Shared with what is not of the request (a host in it is busy), or with
    a member of the request that is not of the group.
    """

    name = 'exclusive'
    schema = {'properties': {}, 'required': []}

    def violation(self, rule: model.Rule, view: base.View) -> int:
        return len(self.where(rule, view))

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        scope = rule.scope
        used = dict.fromkeys(view.domains(rule.members, scope).values())
        others = view.others(rule.members, scope)
        return tuple(
            (scope, domain)
            for domain in used
            if domain in others or view.is_busy(scope, domain)
        )

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        return (constraints.Alone(rule.scope, rule.members),)

    def sentence(self, rule: model.Rule) -> str:
        where = 'on' if rule.scope == model.HOST else 'in'
        return (
            f"exclusive group '{rule.name}' lets nothing else be {where} "
            f'the {rule.scope}s of its {base.members_of(rule)}'
        )
