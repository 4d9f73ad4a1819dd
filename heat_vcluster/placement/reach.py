# SPDX-License-Identifier: Apache-2.0
"""How much of a cloud a request has to see before it can be placed."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """What a reading of part of a cloud must show.

    ``domains`` maps scopes to how many domains at it the hard rules take at
    the least. At the ``entire`` scopes everything in a domain counts, also
    what has no room (exclusive rules); at those of them that are
    ``measured``, how large it is, too (the provider's budgets). ``even`` has
    the scopes of ``max_skew``: there every domain that could take a member
    counts, wherever it is, so demands need their ``suitable`` hosts.
    ``seed``: requests that differ in it begin to look at different places.
    """

    seed: str = ''
    domains: Mapping[str, int] = dataclasses.field(default_factory=dict)
    entire: frozenset[str] = frozenset()
    measured: frozenset[str] = frozenset()
    even: frozenset[str] = frozenset()


def of(
    rules: Iterable[model.Rule],
    kinds: Mapping[str, base.Policy],
    *,
    seed: str = '',
    measured: Iterable[str] = (),
) -> Reach:
    """Return the reach of a request with these rules."""
    domains: dict[str, int] = collections.defaultdict(lambda: 1)
    measured = frozenset(measured) - {model.HOST}
    entire = set(measured)
    even = set()
    for constraint, is_hard in _constraints(rules, kinds):
        if isinstance(constraint, constraints.Alone):
            entire.add(constraint.scope)
        elif isinstance(constraint, constraints.Level):
            even.add(constraint.scope)
        elif is_hard:
            scope, needed = _needed(constraint)
            domains[scope] = max(domains[scope], needed)
    return Reach(
        seed,
        dict(domains),
        frozenset(entire - {model.HOST}),
        measured,
        frozenset(even),
    )


def _constraints(
    rules: Iterable[model.Rule], kinds: Mapping[str, base.Policy]
) -> Iterator[tuple[constraints.Constraint, bool]]:
    for rule in rules:
        if rule.weight != 0:
            for constraint in kinds[rule.policy].constraints(rule):
                yield constraint, rule.weight is None


def _needed(constraint: constraints.Constraint) -> tuple[str, int]:
    """Return how many domains at which scope it takes to obey."""
    if isinstance(constraint, constraints.AtMost):
        # Units that have a member in common may share a domain: they are
        # counted as if they had not, which only makes for a wider look.
        units = len(constraint.units)
        return constraint.scope, -(-units // max(constraint.limit, 1))
    if isinstance(constraint, constraints.AtLeast):
        return constraint.scope, constraint.domains
    if isinstance(constraint, constraints.Lost):
        members = len(constraint.members)
        return constraint.scope, constraints.domains_for(
            members, constraint.domains, constraint.limit
        )
    return model.HOST, 1
