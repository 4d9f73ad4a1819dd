# SPDX-License-Identifier: Apache-2.0
"""The solver: several ways to an answer, each where it is the best.

What is impossible by the rules alone shows at once. Small problems are
solved whole, to the optimum. Large ones get a first plan by a greedy search,
or a proof that there is none, or a plan, by counting; then the plan is made
better for as long as the caller has patience. See README.rst beside this.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping

import numpy as np

from heat_vcluster.placement import (
    amounts,
    base,
    betterment,
    classes,
    conflicts,
    constraints,
    contract,
    exact,
    greedy,
    jigsaw,
    mend,
    model,
    reasons,
    repairs,
    tally,
)
from heat_vcluster.placement import compiled as numbers
from heat_vcluster.placement import policies as policy_kinds
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.policies import base as policy_base
from heat_vcluster.placement.remainder import Index

# Pairs of members and places up to which a problem is solved whole,
SMALL = 1500
# ... any plan of the whole is looked for before room is made by turns,
NARROW = 5000
# ... or after that,
MEDIUM = 12000
# ... it is tried with some persistence,
WIDE = 120000
# ... it is tried at all: beyond, the making alone takes too long.
LARGE = 300000
# In so many domains, and one more for so many members, it is tried to make
# room before a proof is looked for.
HASTE = 5
MEMBERS = 16
# Hosts up to which the proof is looked for before: it takes less there,
SOON = 3000
# ... unless of each member there are more shapes than so many: where hardly
# any are alike, room is made as long as seems worth it.
ALIKE = 0.5
# So many turns are taken at making it in earnest,
TURNS = 6
# ... one for so many pairs of kind and place: few are soon counted instead.
TURNABLE = 5000
# ... unless so few bundles are left over: turns soon place those.
PLACED_BY_TURNS = 2
# Pairs of kind and place beyond which a glance at counts takes longer than
# another turn in haste, which is sparing of room then: it places, as a rule,
# so many bundles that were left over.
DEAR = 20_000
SEVERAL = 20
# ... and for each of them several had no place in between.
TURNED_OUT = 2
# With hardly more than one complaint of each that is left over, haste was
# over before most had their turn: it goes on, so many times as long.
SELDOM = 1.1
LONGER = 4
# How often a bundle may be in trouble before whole domains are cleared for
# it, turn by turn: each way finds what the others do not.
GENTLE = (0, 4, 2)
# Of more turns than these all but the first are sparing of room.
WISHFUL = 2
# Items left over up to which making room for them seems worth it.
FEW = 120
# Bundles left over up to which mending comes before counting.
VERY_FEW = 6
# Hosts beyond which members are counted in a part of the cloud first: in
# this share of it, with so many hosts of a domain for a shape as are enough.
HUGE = 30000
SOME = 0.3
ENOUGH = 6
# Share of what is asked: where less of a resource is to spare, it is a jigsaw.
BRIM = 0.02
# ... and exchanging takes this share of the time that is left,
JIGSAW = 0.6
# ... or this, before counting, where there are more pairs of kind and place
# than so many: they are too many to be opened to single hosts at once.
MOSTLY = 0.85
COUNTABLE = 30_000
# So many members are alike, by places, where a medium problem is counted.
SAVED = 2
# Deterministic seconds for the first proof by counts: most take less.
GLANCE = 0.01
# Deterministic seconds for the whole of a medium problem.
EFFORT = 1.0
# ... and for that of a wide one.
PERSISTENCE = 8.0
# Seconds that making a first plan better may take, unless the caller says.
PATIENCE = 2.0
# Seconds that finding out which rules clash, and what would fit, may take.
EXPLANATION = 10.0
REPAIRS = 5.0


class JointSolver(base.Solver):
    """Places whole groups on clouds of up to 100,000 hosts."""

    def __init__(
        self,
        kinds: Mapping[str, policy_base.Policy] | None = None,
    ) -> None:
        self._kinds = policy_kinds.load() if kinds is None else kinds

    def solve(
        self,
        problem: model.Problem,
        *,
        deadline: float = 10.0,
        seed: int = 0,
        patience: float | None = None,
        explain: bool = True,
        choices: base.Choices | None = None,
    ) -> model.Answer:
        began = time.monotonic()
        compiled = numbers.Compiled(problem, self._kinds)
        search = _Search(compiled, began + deadline, seed, began)
        outcome = search.decide()
        if outcome.verdict is model.Verdict.FEASIBLE:
            outcome = search.better(
                outcome, PATIENCE if patience is None else patience
            )
            return _told(compiled, outcome, search.seconds)
        if outcome.verdict is model.Verdict.UNKNOWN:
            return model.Answer(
                outcome.verdict,
                tried=tuple(dict.fromkeys(search.tried)),
                seconds=search.seconds,
            )
        search.note('proof')
        answer = model.Answer(outcome.verdict, seconds=search.seconds)
        if not explain:
            return answer
        return _Explanation(problem, self._kinds, seed, choices).of(
            answer, search
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """A verdict with the placement and what bounds it."""

    verdict: model.Verdict
    placement: Ints | None = None
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)


INFEASIBLE = _Outcome(model.Verdict.INFEASIBLE)
UNKNOWN_YET = _Outcome(model.Verdict.UNKNOWN)


class _Search:
    """One problem on its way to a verdict and a plan.

    ``seconds`` maps what was done to when, since the start; ``tried`` says
    it to people.
    """

    def __init__(
        self,
        compiled: numbers.Compiled,
        ends: float,
        seed: int,
        began: float | None = None,
        haste: int = HASTE,
    ) -> None:
        self._compiled = compiled
        self._haste = haste
        self._ends = ends
        self._seed = seed
        self._began = time.monotonic() if began is None else began
        self._pairs = compiled.n_pairs
        self.seconds: dict[str, float] = {}
        self.tried: list[str] = []

    @functools.cached_property
    def _index(self) -> Index:
        return Index(self._compiled)

    def note(self, what: str) -> None:
        self.seconds.setdefault(what, time.monotonic() - self._began)

    def _left(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)

    # -- a verdict ----------------------------------------------

    def decide(self) -> _Outcome:
        """Find any plan, or prove that there is none."""
        self.note('compiled')
        if self._compiled.stuck():
            return INFEASIBLE
        self._contracted = contract.contract(self._compiled)
        if self._contracted.contradiction is not None:
            return INFEASIBLE
        if self._pairs <= SMALL and self._haste:
            if self._is_refuted(GLANCE):
                return INFEASIBLE
            outcome = self._whole()
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        return self._in_parts()

    def _whole(self) -> _Outcome:
        """Solve all of it to the optimum, as far as little time goes."""
        self.tried.append('all members at once')
        result = exact.solve(
            self._compiled,
            seconds=self._left(),
            effort=EFFORT,
            seed=self._seed,
        )
        if result.placement is not None:
            self.note('first_plan')
        return _Outcome(result.verdict, result.placement, result.bound)

    def _in_parts(self) -> _Outcome:
        """Take the ways in the order of what they cost."""
        self.tried.append('placing the largest bundles first')
        found = self._hasty()
        if not self._is_done(found) and self._trouble:
            found = min(found, self._hasty_again(found), key=_missing)
        if self._is_done(found):
            return self._first(found.placement)
        if self._compiled.n_hosts > HUGE:
            placement = self._among_some_hosts()
            if placement is not None:
                return self._first(placement)
        if self._frame.n_pairs > DEAR and self._is_hopeful(found):
            found = min(found, self._hasty(sparing=True), key=_missing)
            if self._is_done(found):
                return self._first(found.placement)
        self.tried.append('counting kinds of members by domain')
        if self._is_refuted(GLANCE):
            return INFEASIBLE
        is_counted = self._is_soon_counted(found)
        if is_counted:
            outcome = self._counted()
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        if self._pairs > MEDIUM and self._is_jigsaw():
            is_countable = self._frame.n_pairs <= COUNTABLE
            if is_countable and not is_counted:
                is_counted = True
                outcome = self._counted()
                if outcome.verdict is not model.Verdict.UNKNOWN:
                    return outcome
            whole = self._exchanged(JIGSAW if is_countable else MOSTLY)
            if whole is not None:
                return self._first(whole)
        if not self._are_alike() and len(found.left) <= VERY_FEW:
            whole = self._mended(found, self._left() / 5)
            if whole is not None:
                return self._first(whole)
        if self._pairs <= NARROW:
            outcome = self._any(EFFORT)
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        found = self._by_turns(found)
        if self._is_done(found):
            return self._first(found.placement)
        if (
            self._pairs <= MEDIUM
            and self._is_sooner_by_counts
            and not is_counted
        ):
            is_counted = True
            outcome = self._counted()
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        if NARROW < self._pairs <= MEDIUM:
            outcome = self._any(EFFORT)
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        return self._with_patience(found, is_counted)

    def _hasty_again(self, found: greedy.Found) -> greedy.Found:
        """Go on if haste was over too soon, or give wishes up.

        What wishes tie together takes room that is scarce. One or two that
        are left often find a place after all.
        """
        left = len(found.left) + len(found.unmet)
        if found.trouble <= SELDOM * left:
            again = found.go_on(self._left(), LONGER * self._trouble, 0)
            return again or found
        if not self._is_hopeful(found):
            return found
        if self._has_wishes:
            return self._hasty(sparing=True)
        if left <= PLACED_BY_TURNS:
            return found.go_on(self._left(), self._trouble) or found
        return found

    @property
    def _has_wishes(self) -> bool:
        """Whether soft rules would have members in one domain."""
        wishes = constraints.Together, constraints.Near
        return any(
            clause.kind in wishes and bool(clause.weight)
            for clause in self._compiled.soft
        )

    def _is_hopeful(self, found: greedy.Found) -> bool:
        """Tell whether few are left over, and they come by turns.

        Who has trouble while nobody else has any never fits, as a rule.
        """
        left = len(found.left) + len(found.unmet)
        return left <= SEVERAL and found.trouble > TURNED_OUT * left

    def _is_soon_counted(self, found: greedy.Found) -> bool:
        """Tell whether counting to the end takes less than turns would.

        That is, with little to count and more left over than turns place:
        of a jigsaw they place nothing.
        """
        if self._frame.n_pairs >= TURNABLE:
            return False
        if self._pairs <= MEDIUM:
            return self._is_sooner_by_counts and self._is_jigsaw()
        return len(found.left) > PLACED_BY_TURNS

    @property
    def _is_sooner_by_counts(self) -> bool:
        """Tell whether counting members is less than to look at each."""
        return SAVED * self._frame.n_pairs <= self._pairs

    def _is_jigsaw(self) -> bool:
        """Tell whether many hosts must be filled to the brim.

        Who asks in haste wants a proof.
        """
        if not self._haste:
            return False
        for number in range(len(self._compiled.resources)):
            usable, spare = self._frame.usable(number)
            asked = int(usable.sum()) - spare
            if 0 <= spare <= BRIM * asked and asked:
                return True
        return False

    def _exchanged(self, share: float) -> Ints | None:
        """Fill hosts up exactly, and let bundles change places then."""
        self.tried.append('filling hosts to the brim')
        found = self._greedy(None, brims=True)
        if self._is_done(found):
            return found.placement
        whole = jigsaw.finish(
            self._compiled,
            self._contracted,
            found.placement,
            deadline=time.monotonic() + share * self._left(),
            seed=self._seed,
        )
        if whole is None or not amounts.is_valid(self._compiled, whole):
            return None
        return whole

    @functools.cached_property
    def _frame(self) -> tally.Frame:
        return classes.frame_of(self._compiled, self._contracted)

    def _is_refuted(self, effort: float | None) -> bool:
        return classes.refute(self._frame, self._ends, self._seed, effort)

    def _among_some_hosts(self) -> Ints | None:
        """Look for a plan in a part of the cloud; it proves nothing."""
        self.tried.append('a part of the hosts')
        part = _part(self._compiled, SOME, self._seed)
        cast = classes.place(
            part,
            contract.contract(part),
            time.monotonic() + self._left() / 2,
            self._seed,
        )
        if isinstance(cast, np.ndarray) and amounts.is_valid(
            self._compiled, cast
        ):
            return cast
        return None

    def _with_patience(
        self, found: greedy.Found, is_counted: bool
    ) -> _Outcome:
        if len(found.left) <= VERY_FEW:
            if self._is_refuted(None):
                return INFEASIBLE
            whole = self._mended(found, self._left() / 5)
            if whole is not None:
                return self._first(whole)
        if not is_counted:
            outcome = self._counted()
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        if self._pairs <= WIDE:
            outcome = self._any(PERSISTENCE)
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        whole = self._mended(found, self._left() / 2)
        if whole is not None:
            return self._first(whole)
        self.tried.append('counting kinds of members by host')
        if classes.prove(
            self._compiled,
            self._contracted,
            time.monotonic() + self._left() / 2,
            self._seed,
        ):
            return INFEASIBLE
        if self._pairs <= LARGE:
            return self._any(None)
        return UNKNOWN_YET

    def _counted(self) -> _Outcome:
        """Count to the end, and find the members that the counts mean."""
        if not self._left():
            return UNKNOWN_YET
        self.tried.append('counting kinds of members, then casting them')
        cast = classes.place(
            self._compiled,
            self._contracted,
            time.monotonic() + self._left() / 2,
            self._seed,
        )
        if isinstance(cast, classes.Proof):
            return INFEASIBLE
        return UNKNOWN_YET if cast is None else self._first(cast)

    def _mended(self, found: greedy.Found, seconds: float) -> Ints | None:
        if not seconds:
            return None
        self.tried.append('placing again what stands in the way')
        whole = mend.finish(
            self._compiled,
            self._contracted,
            found,
            deadline=seconds,
            seed=self._seed,
            index=self._index,
        )
        if whole is None or not amounts.is_valid(self._compiled, whole):
            return None
        return whole

    def _by_turns(self, found: greedy.Found) -> greedy.Found:
        """Make room for the few left, each time otherwise; return the best.

        From what there is on at first, then all anew.

        But once, if it was asked for in haste: then it is impossible as a
        rule.
        """
        turns = min(TURNS, 1 + self._frame.n_pairs // TURNABLE)
        if not self._haste:
            turns = 1
        for turn in range(-1, turns):
            if self._n_items(found) > FEW:
                break
            sparing = turn > 0 and turns > WISHFUL
            if turn < 0:
                again = found.go_on(self._left()) or found
            else:
                gentle = GENTLE[turn % len(GENTLE)]
                again = self._greedy(None, turn, sparing, gentle)
            if self._is_done(again):
                return again
            found = min(found, again, key=_missing)
        return found

    def _hasty(self, *, sparing: bool = False) -> greedy.Found:
        found = self._greedy(self._trouble, sparing=sparing)
        is_enough = self._is_large or not self._haste or self._are_alike()
        if found.is_whole or is_enough:
            return found
        return min(found, self._greedy(None, gentle=0), key=_missing)

    @property
    def _is_large(self) -> bool:
        """Whether room is made before a proof is looked for."""
        return self._compiled.n_hosts > SOON

    @property
    def _trouble(self) -> int:
        """Return in how many domains it is tried to make room in haste."""
        if not self._haste or not self._is_large:
            return 0
        return self._haste + len(self._compiled.members) // MEMBERS

    def _are_alike(self) -> bool:
        """Tell whether there are few kinds of members to be counted."""
        n_members = len(self._compiled.members)
        return len(self._compiled.shapes) <= ALIKE * n_members

    def _greedy(
        self,
        trouble: int | None,
        turn: int = 0,
        sparing: bool = False,
        gentle: int = greedy.GENTLE,
        brims: bool = False,
    ) -> greedy.Found:
        return greedy.place(
            self._compiled,
            self._contracted,
            deadline=self._left(),
            seed=self._seed + turn,
            trouble=trouble,
            sparing=sparing,
            gentle=gentle,
            brims=brims,
        )

    def _n_items(self, found: greedy.Found) -> int:
        """Return how many have no place; who must share a host is one."""
        bundle_of = self._contracted.bundle_of[0]
        return len({int(bundle_of[m]) for left in found.left for m in left})

    def _is_done(self, found: greedy.Found) -> bool:
        return found.is_whole and amounts.is_valid(
            self._compiled, found.placement
        )

    def _first(self, placement: Ints) -> _Outcome:
        self.note('first_plan')
        return _Outcome(model.Verdict.FEASIBLE, placement)

    def _any(self, effort: float | None) -> _Outcome:
        """Look for any placement of all members at once."""
        if not self._left():
            return UNKNOWN_YET
        self.tried.append('all members at once')
        result = exact.solve(
            self._compiled,
            goal=exact.Goal.ANY,
            seconds=self._left(),
            effort=effort,
            seed=self._seed,
            index=self._index,
        )
        if result.placement is None:
            return _Outcome(result.verdict)
        return self._first(result.placement)

    # -- a better plan ----------------------------------------------

    def better(self, outcome: _Outcome, patience: float) -> _Outcome:
        """Make a plan better within so many seconds."""
        placement, bound = outcome.placement, outcome.bound
        assert placement is not None  # noqa: S101
        patience = min(patience, self._left())
        value = amounts.value(self._compiled, placement)
        if patience <= 0 or value == (bound.soft_cost, bound.objective):
            return outcome
        placement, bound = betterment.better(
            self._compiled,
            placement,
            bound,
            seconds=patience,
            seed=self._seed,
            index=self._index,
        )
        self.note('improved')
        return dataclasses.replace(outcome, placement=placement, bound=bound)


class _Explanation:
    """Why there is no plan, and what would fit instead."""

    def __init__(
        self,
        problem: model.Problem,
        kinds: Mapping[str, policy_base.Policy],
        seed: int,
        choices: base.Choices | None,
    ) -> None:
        self._problem = problem
        self._kinds = kinds
        self._seed = seed
        self._choices = choices

    def of(self, answer: model.Answer, search: _Search) -> model.Answer:
        conflict = self._conflict(self._problem, EXPLANATION)
        told = reasons.tell(self._problem, self._kinds, conflict)
        search.note('explain')
        proposals = repairs.propose(
            self._problem,
            self._kinds,
            conflict,
            self._attempt,
            time.monotonic() + REPAIRS,
            self._choices,
            self._conflict,
        )
        search.note('repairs')
        return dataclasses.replace(
            answer,
            rules=conflict.rules,
            is_minimal=conflict.is_minimal,
            reasons=told.tenant,
            operator_reasons=told.operator,
            repairs=proposals.repairs,
            tried=proposals.untried,
        )

    def _conflict(
        self, problem: model.Problem, seconds: float
    ) -> conflicts.Conflict:
        """Find the smallest conflict of what is proven impossible."""
        return conflicts.minimal(
            problem,
            self._kinds,
            self._prove,
            time.monotonic() + seconds,
            self._seed,
        )

    def _prove(
        self, compiled: numbers.Compiled, seconds: float
    ) -> bool | None:
        """Tell whether what is left of the problem is impossible."""
        outcome = _Search(
            compiled, time.monotonic() + seconds, self._seed, haste=0
        ).decide()
        if outcome.verdict is model.Verdict.UNKNOWN:
            return None
        return outcome.verdict is model.Verdict.INFEASIBLE

    def _attempt(
        self, problem: model.Problem, seconds: float
    ) -> model.Answer | None:
        compiled = numbers.Compiled(problem, self._kinds)
        search = _Search(compiled, time.monotonic() + seconds, self._seed)
        outcome = search.decide()
        if outcome.verdict is model.Verdict.UNKNOWN:
            return None
        if outcome.placement is None:
            return model.Answer(outcome.verdict)
        return _told(compiled, outcome, search.seconds)


def _told(
    compiled: numbers.Compiled,
    outcome: _Outcome,
    seconds: Mapping[str, float],
) -> model.Answer:
    assert outcome.placement is not None  # noqa: S101
    return model.Answer(
        outcome.verdict,
        _plan(compiled, outcome.placement),
        outcome.bound,
        seconds=seconds,
    )


def _part(
    compiled: numbers.Compiled, share: float, seed: int
) -> numbers.Compiled:
    """Return the problem with a share of the hosts, of those most useful.

    Whole domains of the narrowest level, the first of them those with the
    most hosts for members of each shape.
    """
    scope = min(1, len(compiled.scopes) - 1)
    column, count = compiled.domain[scope], compiled.n_domains[scope]
    worth = np.random.default_rng(seed).random(count)
    servers = [shape for shape in compiled.shapes if shape.is_server]
    for shape in servers:
        domains = column[shape.places]
        here = np.bincount(domains[domains != UNKNOWN], minlength=count)
        worth += np.minimum(here, ENOUGH)
    chosen = np.zeros(count + 1, np.bool_)
    most = max(1, round(share * count))
    chosen[np.argsort(-worth, kind='stable')[:most]] = True
    return compiled.on(chosen[column[: compiled.n_hosts]])


def _plan(compiled: numbers.Compiled, placement: Ints) -> model.Plan:
    names = {
        member: compiled.place_names[int(place)]
        for member, place in zip(compiled.members, placement, strict=True)
        if place != UNKNOWN
    }
    names.update(compiled.problem.pinned)
    given_up = tuple(_given_up(compiled, placement))
    return model.Plan(
        names,
        sum(violation.cost for violation in given_up),
        amounts.objective(compiled, placement),
        given_up,
        tuple(_unsteered(compiled, placement)),
    )


def _given_up(
    compiled: numbers.Compiled, placement: Ints
) -> list[model.Violation]:
    broken: dict[str, tuple[int, int]] = {}
    for clause in compiled.soft:
        amount = amounts.amount(compiled, clause, placement)
        if amount:
            before, cost = broken.get(clause.rule, (0, 0))
            weight = clause.weight or 0
            broken[clause.rule] = (before + amount, cost + amount * weight)
    return [
        model.Violation(rule, amount, cost)
        for rule, (amount, cost) in broken.items()
    ]


def _unsteered(
    compiled: numbers.Compiled, placement: Ints
) -> list[tuple[str, str]]:
    """Return the (rule, member) pairs where the member does not count.

    It counts where a domain of it is known: at the rule's scope (the floor
    of proximity), or for bare proximity at any.
    """
    scopes: dict[str, tuple[int, ...]] = {}
    for clause in (*compiled.soft, *compiled.hard):
        if clause.kind is constraints.Near:
            scopes.setdefault(clause.rule, tuple(range(len(compiled.scopes))))
    for clause in reversed((*compiled.soft, *compiled.hard)):
        if clause.kind is not constraints.Near:
            scopes[clause.rule] = (clause.scope,)
    found = []
    for rule in compiled.problem.rules:
        at = scopes.get(rule.name, ())
        for member in rule.members if at else ():
            number = compiled.numbers.get(member)
            place = UNKNOWN if number is None else int(placement[number])
            if place == UNKNOWN or all(
                compiled.domain[scope][place] == UNKNOWN for scope in at
            ):
                found.append((rule.name, member))
    return found


def _missing(found: greedy.Found) -> int:
    return sum(map(len, found.left)) + len(found.unmet)
