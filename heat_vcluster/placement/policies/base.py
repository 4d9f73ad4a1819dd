# SPDX-License-Identifier: Apache-2.0
"""What a kind of rule promises: one meaning, said three times.

As a check on finished plans, as constraints for the search, and as a
sentence for people. The check is written apart from the constraints on
purpose: each is the other's proof-reader, so they must not share code.
"""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Protocol

from heat_vcluster.placement import constraints, model

# Under a name that no method hides.
Constraint = constraints.Constraint

# What a limit may be: far beyond the members of any request, and a number
# that every search can calculate with.
MOST = 10**6


class View(Protocol):
    """What a policy's check sees of a finished placement, by names."""

    @property
    def scopes(self) -> Sequence[str]:
        """All scopes, from ``host`` to the widest level."""

    def domains(self, members: Iterable[str], scope: str) -> Mapping[str, str]:
        """Return member -> its domain; only of those that have one there."""

    def is_busy(self, scope: str, domain: str) -> bool:
        """Tell whether a host in it runs what is not of the request."""

    def others(self, members: Collection[str], scope: str) -> AbstractSet[str]:
        """Return the domains of all members of the request but these."""

    def level_domains(self, rule: model.Rule) -> AbstractSet[str]:
        """Return the domains that a ``max_skew`` is taken over."""


class Policy(abc.ABC):
    """One kind of rule; stateless."""

    name: ClassVar[str]
    # JSON schema of the kind's own keys in ``groups[].spec``: an object
    # with ``properties`` and, if need be, ``required``, ``anyOf`` (each of
    # one ``required``) and ``dependentRequired``.
    schema: ClassVar[Mapping[str, Any]]
    # Whether a member in two units of one group makes no sense.
    disjoint_units: ClassVar[bool] = False
    # Whether a group of this kind has a ``scope`` of its own.
    has_scope: ClassVar[bool] = True
    # Whether it is a wish always, so that ``strict`` is never true.
    never_strict: ClassVar[bool] = False
    # Which of the kind's own keys names a scope, or lists domains at the
    # group's scope.
    scope_keys: ClassVar[tuple[str, ...]] = ()
    domain_keys: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def violation(self, rule: model.Rule, view: View) -> int:
        """Return by how much the rule is broken; 0: it is obeyed."""

    def broken(self, rule: model.Rule, view: View) -> int:
        """Return by how much what must hold of it does not."""
        return self.violation(rule, view) if rule.weight is None else 0

    def where(
        self, rule: model.Rule, view: View
    ) -> tuple[tuple[str, str], ...]:
        """Return the (scope, domain) pairs in which it is broken.

        In an order that is fixed; none where no domain is to blame.
        """
        return ()

    def asked_at(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> Sequence[str]:
        """Return at which scopes the rule asks for its members' domains.

        None, if it is no more than a set of members, as one without any
        limit is. A server has to have a domain at each; a volume may be
        without. ``scopes`` as in View.
        """
        is_mere_set = rule.weight == 0 or not self.constraints(rule)
        return () if is_mere_set else (rule.scope,)

    def uncounted(self, rule: model.Rule, view: View) -> tuple[str, ...]:
        """Return the members that the rule cannot be applied to."""
        asked = self.asked_at(rule, view.scopes)
        seen = {
            m for scope in asked for m in view.domains(rule.members, scope)
        }
        return tuple(m for m in rule.members if asked and m not in seen)

    @abc.abstractmethod
    def constraints(self, rule: model.Rule) -> tuple[Constraint, ...]:
        """Return what the search is to know: the amounts add up to violation.

        The rule is broken by the sum of the amounts of these.
        """

    def hard(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> tuple[Constraint, ...]:
        """Return what must not be broken at all.

        ``scopes`` has all scopes from host to the widest level.
        """
        return self.constraints(rule) if rule.weight is None else ()

    def soft(self, rule: model.Rule) -> tuple[Constraint, ...]:
        """Return what costs the rule's weight for each unit of amount."""
        return self.constraints(rule) if rule.weight else ()

    @abc.abstractmethod
    def sentence(self, rule: model.Rule) -> str:
        """Return what the rule asks, for its tenant: a clause."""


def members_of(rule: model.Rule) -> str:
    """Return how many there are: ``3 members``."""
    count = len(rule.members)
    return f'{count} member{"" if count == 1 else "s"}'


def limit(least: int, what: str, description: str) -> dict[str, Any]:
    """Return the schema of a key that is a number of members or domains."""
    return {
        'type': 'integer',
        'minimum': least,
        'maximum': MOST,
        'description': description,
        # What our own schema keyword says would be right.
        'x-must-be': f'a whole number of {what} from {least} to {MOST}',
    }
