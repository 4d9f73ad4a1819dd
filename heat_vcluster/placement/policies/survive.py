# SPDX-License-Identifier: Apache-2.0
"""Survive: so many of the members are left, whichever domains are lost."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Survive(base.Policy):
    """Violation: the members short of ``keep`` once the worst is lost.

    The worst that can happen is the loss of the ``lose`` domains with the
    most members. A member whose domain is not known cannot be seen to be
    lost: it is told as one that the rule cannot be applied to.
    """

    name = 'survive'
    schema = {
        'properties': {
            'lose': base.limit(
                1, 'domains', 'How many domains may be lost at once.'
            ),
            'keep': base.limit(
                1,
                'members',
                'How many of the members are left then, at the least.',
            ),
        },
        'required': ['lose', 'keep'],
    }

    def violation(self, rule: model.Rule, view: base.View) -> int:
        lost = sum(count for _, count in self._worst(rule, view))
        left = len(rule.members) - lost
        return max(0, int(rule.options['keep']) - left)

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        if not self.violation(rule, view):
            return ()
        worst = self._worst(rule, view)
        return tuple((rule.scope, domain) for domain, _ in worst)

    @staticmethod
    def _worst(rule: model.Rule, view: base.View) -> list[tuple[str, int]]:
        """Return the domains with the most members, and how many."""
        domains = view.domains(rule.members, rule.scope)
        counts = collections.Counter(domains.values())
        return counts.most_common(rule.options['lose'])

    def constraints(self, rule: model.Rule) -> tuple[base.Constraint, ...]:
        return (
            constraints.Lost(
                rule.scope, rule.members, rule.options['lose'], _spare(rule)
            ),
        )

    def hard(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> tuple[base.Constraint, ...]:
        """Say the loss of one domain as a limit for each, which is the same.

        That is a rule the search can do more with. It has no words for what
        cannot be at all: that more are to be left than there are.
        """
        spare = _spare(rule)
        if rule.weight is None and rule.options['lose'] == 1 and spare >= 0:
            units = tuple((member,) for member in rule.members)
            return (constraints.AtMost(rule.scope, units, spare),)
        return super().hard(rule, scopes)

    def sentence(self, rule: model.Rule) -> str:
        lose = rule.options['lose']
        lost = (
            f'any one {rule.scope}'
            if lose == 1
            else f'any {lose} {rule.scope}s'
        )
        return (
            f'{rule.title} has at least {rule.options["keep"]} of its '
            f'{base.members_of(rule)} survive the loss of {lost}'
        )


def _spare(rule: model.Rule) -> int:
    """Return how many of the members may be lost at once."""
    return len(rule.members) - int(rule.options['keep'])
