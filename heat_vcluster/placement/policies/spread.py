# SPDX-License-Identifier: Apache-2.0
"""Spread: at most so many members of the group in one domain."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Spread(base.Policy):
    """Violation: over all domains, the members in it beyond the limit."""

    name = 'spread'
    schema = {
        'properties': {
            'max_per_domain': {
                'type': 'integer',
                'minimum': 1,
                'description': 'The most members that one domain may have.',
                # What our own schema keyword says would be right.
                'x-must-be': 'a whole number of members, at least 1',
            },
        },
        'required': ['max_per_domain'],
    }

    def violation(self, rule: model.Rule, domains: Mapping[str, str]) -> int:
        most: int = rule.options['max_per_domain']
        members = collections.Counter(
            domains[m] for m in rule.members if m in domains
        )
        return sum(max(0, n - most) for n in members.values())

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        asked: list[constraints.Constraint] = []
        options, members = rule.options, rule.members
        most = options.get('max_per_domain')
        if most is not None:
            units = tuple((member,) for member in members)
            asked.append(constraints.AtMost(rule.scope, units, most))
        skew = options.get('max_skew')
        if skew is not None:
            domains = options.get('domains')
            over = None if domains is None else tuple(domains)
            asked.append(constraints.Level(rule.scope, members, skew, over))
        least = options.get('min_domains')
        if least is not None:
            asked.append(constraints.AtLeast(rule.scope, members, least))
        return tuple(asked)

    def enforce(self, rule: model.Rule, board: base.Board) -> None:
        limit = rule.options['max_per_domain']
        for domain in board.domains(rule.members, rule.scope):
            if board.limit(rule.members, rule.scope, domain) > limit:
                here = board.count(rule.members, rule.scope, domain)
                board.require(here <= limit)

    def penalty(self, rule: model.Rule, board: base.Board) -> base.Expression:
        limit = rule.options['max_per_domain']
        cost = 0
        for domain in board.domains(rule.members, rule.scope):
            here = board.count(rule.members, rule.scope, domain)
            most = board.limit(rule.members, rule.scope, domain)
            cost += board.excess(here, limit, most)
        return cost

    def domains_needed(self, rule: model.Rule) -> int:
        limit: int = rule.options['max_per_domain']
        return -(-len(rule.members) // limit)

    def sentence(self, rule: model.Rule) -> str:
        return (
            f"spread group '{rule.name}' lets at most "
            f'{rule.options["max_per_domain"]} of its '
            f'{len(rule.members)} members share a {rule.scope}'
        )
