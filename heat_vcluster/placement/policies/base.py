# SPDX-License-Identifier: Apache-2.0
"""What a kind of rule promises: one meaning, said three times.

As a check on finished plans, as constraints for the search, and as a
sentence for people. The check is written apart from the constraints on
purpose: each is the other's proof-reader, so they must not share code.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from heat_vcluster.placement import constraints, model

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


class Policy(abc.ABC):
    """One kind of rule; stateless."""

    name: ClassVar[str]
    # JSON schema of the kind's own keys in ``groups[].spec``: an object
    # with ``properties`` and ``required``.
    schema: ClassVar[Mapping[str, Any]]
    # Whether a member in two units of one group makes no sense.
    disjoint_units: ClassVar[bool] = False

    @abc.abstractmethod
    def violation(self, rule: model.Rule, domains: Mapping[str, str]) -> int:
        """Return by how much the rule is broken; 0: it is obeyed.

        ``domains`` maps each member that counts to its domain at the rule's
        scope.
        """

    @abc.abstractmethod
    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        """Return what the search is to know: the amounts add up to violation.

        The rule is broken by the sum of the amounts of these.
        """

    def hard(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> tuple[constraints.Constraint, ...]:
        """Return what must not be broken at all.

        ``scopes`` has all scopes from host to the widest level.
        """
        return self.constraints(rule) if rule.weight is None else ()

    def soft(self, rule: model.Rule) -> tuple[constraints.Constraint, ...]:
        """Return what costs the rule's weight for each unit of amount."""
        return self.constraints(rule) if rule.weight else ()

    @abc.abstractmethod
    def enforce(self, rule: model.Rule, board: Board) -> None:
        """Add constraints that hold if and only if the violation is 0."""

    @abc.abstractmethod
    def penalty(self, rule: model.Rule, board: Board) -> Expression:
        """Return an expression that equals the violation."""

    @abc.abstractmethod
    def domains_needed(self, rule: model.Rule) -> int:
        """Return how many domains a violation of 0 takes at the least.

        Every member counts for this one.
        """

    @abc.abstractmethod
    def sentence(self, rule: model.Rule) -> str:
        """Return what the rule asks, for its tenant: a clause."""
