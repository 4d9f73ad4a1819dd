# SPDX-License-Identifier: Apache-2.0
"""Proximity: as near as can be, and never farther than a floor."""

from __future__ import annotations

from collections.abc import Sequence

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Proximity(base.Policy):
    """Violation: how far apart the members are.

    0: at no scope do they have two domains. Otherwise 1 and the number of
    the widest scope at which they do, counted from 0 = host, 1 = the
    narrowest level. So with zones and racks 0 is one host, 1 one rack, 2
    one zone, 3 not even that. ``at_least`` is the scope whose number it
    must not exceed, whatever the weight.
    """

    name = 'proximity'
    has_scope = False
    never_strict = True
    scope_keys = ('at_least',)
    schema = {
        'properties': {
            'at_least': {
                'description': 'The level at which all members must share a '
                'domain, whatever the weight.',
            },
        },
        'required': [],
    }

    def violation(self, rule: model.Rule, view: base.View) -> int:
        for number in reversed(range(len(view.scopes))):
            if len(self._used(rule, view, view.scopes[number])) > 1:
                return 1 + number
        return 0

    def broken(self, rule: model.Rule, view: base.View) -> int:
        floor = rule.options.get('at_least')
        if floor is None:
            return 0
        most = view.scopes.index(floor)
        return max(0, self.violation(rule, view) - most)

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        """Return the domains at the widest scope that has several."""
        distance = self.violation(rule, view)
        if not distance:
            return ()
        scope = view.scopes[distance - 1]
        used = self._used(rule, view, scope)
        return tuple((scope, domain) for domain in used)

    @staticmethod
    def _used(
        rule: model.Rule, view: base.View, scope: str
    ) -> dict[str, None]:
        return dict.fromkeys(view.domains(rule.members, scope).values())

    def asked_at(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> Sequence[str]:
        if rule.weight != 0:
            return scopes
        floor = rule.options.get('at_least')
        return () if floor is None else scopes[scopes.index(floor) :]

    def uncounted(self, rule: model.Rule, view: base.View) -> tuple[str, ...]:
        """Return those without any domain, or without one at the floor."""
        floor = rule.options.get('at_least')
        if floor is None:
            return super().uncounted(rule, view)
        known = view.domains(rule.members, floor)
        return tuple(m for m in rule.members if m not in known)

    def constraints(self, rule: model.Rule) -> tuple[base.Constraint, ...]:
        return (constraints.Near(rule.members),)

    def hard(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> tuple[base.Constraint, ...]:
        floor = rule.options.get('at_least')
        if floor is None:
            return ()
        return tuple(
            constraints.Together(scope, rule.members)
            for scope in scopes[scopes.index(floor) :]
        )

    def sentence(self, rule: model.Rule) -> str:
        """Say its floor, which alone can clash."""
        told = (
            f"proximity group '{rule.name}' keeps its {base.members_of(rule)}"
        )
        floor = rule.options.get('at_least')
        if floor is None:
            return f'{told} as near as can be'
        where = 'on' if floor == model.HOST else 'in'
        return f'{told} {where} one {floor} at the least'
