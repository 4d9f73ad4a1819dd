# SPDX-License-Identifier: Apache-2.0
"""Spread: the members of the group over several domains, evenly."""

from __future__ import annotations

import collections

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base

LIMITS = ('max_per_domain', 'max_skew', 'min_domains')


class Spread(base.Policy):
    """Violation: by how much each limit that is given is exceeded, added up.

    ``max_per_domain``: over all domains, the members in it beyond that.
    ``max_skew``: the members of the fullest domain less those of the
    emptiest, beyond that; over the ``domains``, or, without, over those
    that could have a member at all. ``min_domains``: the domains used short
    of that.
    """

    name = 'spread'
    domain_keys = ('domains',)
    schema = {
        'properties': {
            'max_per_domain': base.limit(
                1, 'members', 'The most members that one domain may have.'
            ),
            'max_skew': base.limit(
                0,
                'members',
                'How many members more than the emptiest domain the fullest '
                'may have.',
            ),
            'domains': {
                'type': 'array',
                'items': {
                    'type': 'string',
                    'minLength': 1,
                    'maxLength': 255,
                    'pattern': r'^[^\u0000]*$',
                    'x-must-be': 'the name of a domain',
                },
                'minItems': 1,
                'maxItems': 1000,
                'uniqueItems': True,
                'description': 'The domains over which max_skew is taken; '
                'without, all that could have a member.',
                'x-must-be': 'a list of 1 to 1000 names of domains, each once',
            },
            'min_domains': base.limit(
                1,
                'domains',
                'Over how many domains the members are, at the least.',
            ),
        },
        'required': [],
        'anyOf': [{'required': [key]} for key in LIMITS],
        'dependentRequired': {'domains': ['max_skew']},
    }

    def violation(self, rule: model.Rule, view: base.View) -> int:
        members = self._members(rule, view)
        crowded = sum(self._crowded(rule, members).values())
        return (
            crowded
            + self._skewed(rule, members, view)
            + self._missing(rule, members)
        )

    def where(
        self, rule: model.Rule, view: base.View
    ) -> tuple[tuple[str, str], ...]:
        members = self._members(rule, view)
        found = dict.fromkeys(self._crowded(rule, members))
        if self._skewed(rule, members, view):
            over = view.level_domains(rule)
            most = max(members[domain] for domain in over)
            found.update(
                dict.fromkeys(
                    d for d, n in members.items() if n == most and d in over
                )
            )
        return tuple((rule.scope, domain) for domain in found)

    @staticmethod
    def _members(
        rule: model.Rule, view: base.View
    ) -> collections.Counter[str]:
        """Return domain -> how many members it has."""
        domains = view.domains(rule.members, rule.scope)
        return collections.Counter(domains.values())

    @staticmethod
    def _crowded(
        rule: model.Rule, members: collections.Counter[str]
    ) -> dict[str, int]:
        """Return the domains beyond the limit, and by how much."""
        most = rule.options.get('max_per_domain')
        if most is None:
            return {}
        return {d: n - most for d, n in members.items() if n > most}

    @staticmethod
    def _skewed(
        rule: model.Rule,
        members: collections.Counter[str],
        view: base.View,
    ) -> int:
        skew = rule.options.get('max_skew')
        if skew is None:
            return 0
        counts = [members[domain] for domain in view.level_domains(rule)]
        return max(0, max(counts) - min(counts) - skew) if counts else 0

    @staticmethod
    def _missing(rule: model.Rule, members: collections.Counter[str]) -> int:
        least = rule.options.get('min_domains') or 0
        return max(0, least - len(members))

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

    def sentence(self, rule: model.Rule) -> str:
        """Join what the group asks for: one clause, however many limits."""
        options, scope = rule.options, rule.scope
        members = base.members_of(rule)
        most, skew, least = (options.get(key) for key in LIMITS)
        asked = []
        if most is not None:
            asked.append(
                f'lets at most {most} of its {members} share a {scope}'
            )
        if skew is not None:
            how = f'with a difference of at most {skew}' if skew else 'evenly'
            asked.append(f'spreads its {members} over the {scope}s {how}')
        if least is not None:
            asked.append(
                f'has its {members} in at least {least} '
                f'{scope}{"" if least == 1 else "s"}'
            )
        return f"spread group '{rule.name}' " + ' and '.join(
            asked or ['asks for nothing']
        )
