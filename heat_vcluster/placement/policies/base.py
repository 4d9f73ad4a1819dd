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

# An integer, a variable or a linear expression of the search's model.
Expression = Any
# A boolean variable, its negation or 0 / 1.
Literal = Any


class Board(Protocol):
    """What a policy sees of the search's model.

    Members that differ in nothing are counted, not told apart. So only sets
    of members that a rule itself tells apart may be asked for: all below
    it, all its units of one member taken together, or a unit of several.
    """

    def domains(self, members: Iterable[str], scope: str) -> list[str]:
        """Return the domains at ``scope`` that the members may get."""

    def count(
        self, members: Iterable[str], scope: str, domain: str
    ) -> Expression:
        """Return how many of the members have that domain."""

    def limit(self, members: Iterable[str], scope: str, domain: str) -> int:
        """Return an upper bound of :meth:`count`."""

    def occupied(
        self, members: Iterable[str], scope: str, domain: str
    ) -> Literal:
        """Return whether any of the members has that domain, exactly."""

    def excess(self, expression: Expression, over: int, most: int) -> Any:
        """Return a variable equal to max(0, expression - over).

        ``most`` is an upper bound of the expression.
        """

    def require(self, bounded: Any) -> None:
        """Add a linear constraint."""

    def gather(self, members: Iterable[str], scope: str) -> None:
        """Let the members have at most one domain between them."""


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

        None, if it is no more than a set of members. A server has to have
        a domain at each; a volume may be without. ``scopes`` as in View.
        """
        return () if rule.weight == 0 else (rule.scope,)

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

    def enforce(self, rule: model.Rule, board: Board) -> None:
        """Add constraints that hold if and only if the violation is 0."""
        raise NotImplementedError

    def penalty(self, rule: model.Rule, board: Board) -> Expression:
        """Return an expression that equals the violation."""
        raise NotImplementedError

    @abc.abstractmethod
    def domains_needed(self, rule: model.Rule) -> int:
        """Return how many domains a violation of 0 takes at the least.

        Every member counts for this one.
        """

    @abc.abstractmethod
    def sentence(self, rule: model.Rule) -> str:
        """Return what the rule asks, for its tenant: a clause."""


def members_of(rule: model.Rule) -> str:
    """Return how many there are: ``3 members``."""
    count = len(rule.members)
    return f'{count} member{"" if count == 1 else "s"}'
