# SPDX-License-Identifier: Apache-2.0
"""The ways to a verdict, in the order of what they cost.

What is impossible by the rules alone shows at once. Small problems are
solved whole, to the optimum. Large ones get a first plan by a greedy search,
or a proof that there is none, or a plan, by counting. See README.rst beside
this.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.alone import retreats
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.counting import attempts, refutation, tally
from heat_vcluster.placement.finishing import jigsaw, mend
from heat_vcluster.placement.greedy import greedy
from heat_vcluster.placement.numbers import amounts, contract, excerpt
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers.remainder import Index
from heat_vcluster.placement.programs import exact

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
# Of very many hosts at least so many are looked at first.
FEW_HOSTS = 0.1
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
# Bundles left over for which some room is made before a glance at counts, and
# in how many domains for each of them: that takes a fraction of it.
TWO_OR_THREE = 3
GIVEN = 6
# Items left over up to which making room for them seems worth it.
FEW = 120
# Bundles left over up to which mending comes before counting.
VERY_FEW = 6
# Hosts beyond which members are counted in a part of the cloud first: in
# this share of it, with so many hosts of a domain for a shape as are enough.
HUGE = 30000
SOME = 0.3
ENOUGH = 6
# Share of the time that is left, for all others when some are settled.
OTHERS = 0.9
# Share of what is asked: where less of a resource is to spare, it is a jigsaw.
BRIM = 0.02
# ... and room is made so many times as often as in haste, for few;
BRIMFUL = 6
# ... and bundles change places so many times before anything is counted;
EXCHANGES = 15
# ... and exchanging takes this share of the time that is left,
JIGSAW = 0.6
# ... or this, before counting, where there are more pairs of kind and place
# than so many: they are too many to be opened to single hosts at once.
MOSTLY = 0.85
COUNTABLE = 30_000
# ... or than so many where rules look at domains above the host, too;
DIVIDED = 8_000
# ... or for this part of the time, where they look at single hosts only:
# there counting finds most.
UNDIVIDED = 0.8
# Part of the time that is left, for counting else.
HALF = 0.5
# So many members are alike, by places, where a medium problem is counted.
SAVED = 2
# Deterministic seconds for the first proof by counts: most take less.
GLANCE = 0.01
# Deterministic seconds for the whole of a medium problem.
EFFORT = 1.0
# ... and for that of a wide one.
PERSISTENCE = 8.0


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with the placement and what bounds it."""

    verdict: model.Verdict
    placement: Ints | None = None
    bound: model.Bound = dataclasses.field(default_factory=model.Bound)


INFEASIBLE = Outcome(model.Verdict.INFEASIBLE)
UNKNOWN_YET = Outcome(model.Verdict.UNKNOWN)


class Search:
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
        self._is_counted = self._is_sparing = False
        self.seconds: dict[str, float] = {}
        self.tried: list[str] = []

    @functools.cached_property
    def index(self) -> Index:
        return Index(self._compiled)

    def note(self, what: str) -> None:
        self.seconds.setdefault(what, time.monotonic() - self._began)

    def left(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)

    # -- a verdict ----------------------------------------------

    def decide(self) -> Outcome:
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
        for way in self._ways():
            if self.tried and not self.left():
                break
            outcome = way()
            if outcome.verdict is not model.Verdict.UNKNOWN:
                return outcome
        return UNKNOWN_YET

    def _ways(self) -> Sequence[Callable[[], Outcome]]:
        """Return what is done in turn; each knows when it is not for it."""
        return (
            self._place_in_an_excerpt,
            self._place_in_haste,
            self._make_some_room,
            self._look_in_a_part,
            self._place_sparingly,
            self._glance_at_counts,
            self._settle_recluses,
            self._count_a_jigsaw,
            self._do_a_jigsaw,
            self._mend_unlike,
            self._solve_narrow,
            self._place_by_turns,
            self._count_medium,
            self._solve_medium,
            self._mend_few,
            self._count,
            self._solve_wide,
            self._mend,
            self._count_all_hosts,
            self._solve_large,
        )

    # -- placing ------------------------------------------------

    def _place_in_an_excerpt(self) -> Outcome:
        """Place all on a few of the hosts, where so few have much room.

        Who would be together finds the better places the more there are.
        """
        if not self._is_large or not self._haste or self._has_wishes:
            return UNKNOWN_YET
        part = excerpt.of(self._compiled, self._seed, FEW_HOSTS)
        if part is None:
            return UNKNOWN_YET
        self.tried.append('few of the hosts')
        found = greedy.place(
            part.compiled,
            self._contracted,
            deadline=self.left(),
            seed=self._seed,
            trouble=self._trouble,
        )
        if not found.is_whole:
            return UNKNOWN_YET
        return self._valid(part.in_whole(found.placement))

    def _place_in_haste(self) -> Outcome:
        """Place the largest bundles first."""
        self.tried.append('placing the largest bundles first')
        self._found = self._hasty()
        if not self._is_done(self._found) and self._trouble:
            self._keep(self._hasty_again(self._found))
        return self._placed()

    def _settle_recluses(self) -> Outcome:
        """Place those who must be alone exactly, and then the others."""
        verdict, places = retreats.settle(
            self._compiled,
            self._contracted,
            seconds=self.left(),
            effort=EFFORT,
            seed=self._seed,
        )
        if verdict is model.Verdict.INFEASIBLE:
            return INFEASIBLE
        if places:
            self.tried.append('placing first those who must be alone')
            settled = self._compiled.settled(places)
            self._keep(self._greedy(self._trouble, compiled=settled))
            if not self._is_done(self._found):
                return self._place_others(places)
        return self._placed()

    def _place_others(self, settled: Mapping[int, int]) -> Outcome:
        """Place all others as a problem of its own.

        ``settled``: member -> place.
        """
        rest, numbers_ = retreats.others(self._compiled, settled)
        search = Search(
            rest,
            time.monotonic() + OTHERS * self.left(),
            self._seed,
            haste=self._haste,
        )
        outcome = search.decide()
        self.tried += search.tried
        if outcome.placement is None:
            return UNKNOWN_YET
        placement = np.full(len(self._compiled.members), UNKNOWN, np.int64)
        placement[numbers_] = outcome.placement
        placement[list(settled)] = list(settled.values())
        return self._valid(placement)

    def _make_some_room(self) -> Outcome:
        """Make some room for few, where that was not done in haste.

        But for who must be alone: those had their choice of domains.
        """
        found = self._found
        left = len(found.left) + len(found.unmet)
        if (
            self._haste
            and not self._is_large
            and left <= TWO_OR_THREE
            and not self._must_be_alone(found)
        ):
            self._keep(found.go_on(self.left(), GIVEN * left) or found)
        return self._placed()

    def _must_be_alone(self, found: greedy.Found) -> bool:
        left = {m for bundle in found.left for m in bundle}
        return any(
            clause.kind is constraints.Alone
            and not left.isdisjoint(clause.members)
            for clause in self._compiled.hard
        )

    def _place_sparingly(self) -> Outcome:
        """Be sparing of room, where a glance at counts takes longer.

        If haste was, the one that is left may find a place at once among some
        others. But for who must be alone: he wants more than room.
        """
        if (
            self._frame.n_pairs > DEAR
            and self._is_hopeful(self._found)
            and not self._must_be_alone(self._found)
        ):
            if not self._is_sparing:
                self._keep(self._hasty(sparing=True))
            elif len(self._found.left) == 1:
                return self._mended(self.left(), briefly=True)
        return self._placed()

    def _place_by_turns(self) -> Outcome:
        """Make room for the few left, each time otherwise.

        From what there is on at first, then all anew.

        But once, if it was asked for in haste: then it is impossible as a
        rule.
        """
        turns = min(TURNS, 1 + self._frame.n_pairs // TURNABLE)
        if not self._haste:
            turns = 1
        for turn in range(-1, turns):
            if self._n_items(self._found) > FEW:
                break
            sparing = turn > 0 and turns > WISHFUL
            if turn < 0:
                self._keep(self._found.go_on(self.left()) or self._found)
            else:
                gentle = GENTLE[turn % len(GENTLE)]
                self._keep(self._greedy(None, turn, sparing, gentle))
            if self._is_done(self._found):
                break
        return self._placed()

    def _keep(self, found: greedy.Found) -> None:
        """Have it if less is missing."""
        if self._is_done(found):
            self._found = found
        else:
            self._found = min(self._found, found, key=_missing)

    def _placed(self) -> Outcome:
        """Return what there is if nobody is left over."""
        if self._is_done(self._found):
            return self._first(self._found.placement)
        return UNKNOWN_YET

    def _hasty_again(self, found: greedy.Found) -> greedy.Found:
        """Go on if haste was over too soon, or give wishes up.

        What wishes tie together takes room that is scarce. One or two that
        are left often find a place after all; more are counted as soon as
        placed where there is little to count.
        """
        left = len(found.left) + len(found.unmet)
        if found.trouble <= SELDOM * left:
            again = found.go_on(self.left(), LONGER * self._trouble, 0)
            return again or found
        if not self._is_hopeful(found):
            return found
        if self._has_wishes:
            if left > PLACED_BY_TURNS and self._frame.n_pairs < TURNABLE:
                return found
            self._is_sparing = True
            return self._hasty(sparing=True)
        if left <= PLACED_BY_TURNS:
            return found.go_on(self.left(), self._trouble) or found
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
        compiled: numbers.Compiled | None = None,
    ) -> greedy.Found:
        return greedy.place(
            self._compiled if compiled is None else compiled,
            self._contracted,
            deadline=self.left(),
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

    # -- counting -----------------------------------------------

    def _glance_at_counts(self) -> Outcome:
        """Count kinds of members by domain, for a moment.

        But not of a large problem that is soon counted to the end.
        """
        if self._is_large and self._is_soon_counted():
            return UNKNOWN_YET
        self.tried.append('counting kinds of members by domain')
        return INFEASIBLE if self._is_refuted(GLANCE) else UNKNOWN_YET

    def _count_a_jigsaw(self) -> Outcome:
        return self._count() if self._is_soon_counted() else UNKNOWN_YET

    def _count_medium(self) -> Outcome:
        if self._pairs <= MEDIUM and self._is_sooner_by_counts:
            return self._count()
        return UNKNOWN_YET

    def _count(self, share: float = HALF) -> Outcome:
        """Count to the end, once, and find the members that counts mean.

        For a share of the time that is left.
        """
        if self._is_counted or not self.left():
            return UNKNOWN_YET
        self._is_counted = True
        self.tried.append('counting kinds of members, then casting them')
        cast = attempts.place(
            self._compiled,
            self._contracted,
            time.monotonic() + self.left() * share,
            self._seed,
        )
        if isinstance(cast, refutation.Proof):
            return INFEASIBLE
        return UNKNOWN_YET if cast is None else self._first(cast)

    def _count_all_hosts(self) -> Outcome:
        self.tried.append('counting kinds of members by host')
        if refutation.prove(
            self._compiled,
            self._contracted,
            time.monotonic() + self.left() / 2,
            self._seed,
        ):
            return INFEASIBLE
        return UNKNOWN_YET

    def _is_soon_counted(self) -> bool:
        """Tell whether counting to the end takes less than turns would.

        That is, with little to count and more left over than turns place:
        of a jigsaw they place nothing.
        """
        if self._frame.n_pairs >= TURNABLE:
            return False
        if self._pairs <= MEDIUM:
            return self._is_sooner_by_counts and self._is_jigsaw()
        return len(self._found.left) > PLACED_BY_TURNS

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

    @functools.cached_property
    def _frame(self) -> tally.Frame:
        return tally.Frame.of(self._compiled, self._contracted)

    def _is_refuted(self, effort: float | None) -> bool:
        return refutation.refute(self._frame, self._ends, self._seed, effort)

    def _look_in_a_part(self) -> Outcome:
        """Count in a part of a very large cloud; it proves nothing."""
        if self._compiled.n_hosts <= HUGE:
            return UNKNOWN_YET
        self.tried.append('a part of the hosts')
        part = _part(self._compiled, SOME, self._seed)
        cast = attempts.place(
            part,
            contract.contract(part),
            time.monotonic() + self.left() / 2,
            self._seed,
        )
        if isinstance(cast, refutation.Proof):
            return UNKNOWN_YET
        return self._valid(cast)

    # -- jigsaws and what is left over --------------------------

    def _do_a_jigsaw(self) -> Outcome:
        """Fill hosts up exactly, count, and let bundles change places.

        In haste at first, and on for few: often that will do, and it takes a
        fraction.
        """
        if self._pairs <= MEDIUM or not self._is_jigsaw():
            return UNKNOWN_YET
        self.tried.append('filling hosts to the brim')
        found = self._greedy(self._trouble or None, brims=True)
        outcome = UNKNOWN_YET
        if len(found.left) <= VERY_FEW and not found.unmet:
            if self._trouble:
                often = BRIMFUL * self._trouble
                found = found.go_on(self.left(), often) or found
            outcome = self._exchange(found, 1.0, EXCHANGES)
        share = MOSTLY
        is_one = self._frame.n_blocks == 1
        if self._frame.n_pairs <= (COUNTABLE if is_one else DIVIDED):
            share = JIGSAW
            if outcome.verdict is model.Verdict.UNKNOWN:
                outcome = self._count(UNDIVIDED if is_one else HALF)
        if outcome.verdict is model.Verdict.UNKNOWN:
            outcome = self._exchange(found, share)
        return outcome

    def _exchange(
        self, found: greedy.Found, share: float, turns: int | None = None
    ) -> Outcome:
        """Let bundles change places, for a share of the time that is left."""
        if self._is_done(found):
            return self._first(found.placement)
        self.tried.append('letting bundles change places')
        whole = jigsaw.finish(
            self._compiled,
            self._contracted,
            found.placement,
            deadline=time.monotonic() + share * self.left(),
            seed=self._seed,
            turns=turns,
        )
        return self._valid(whole)

    def _mend_unlike(self) -> Outcome:
        """Mend at once what counts would tell little of."""
        if self._are_alike() or len(self._found.left) > VERY_FEW:
            return UNKNOWN_YET
        return self._mended(self.left() / 5)

    def _mend_few(self) -> Outcome:
        if len(self._found.left) > VERY_FEW:
            return UNKNOWN_YET
        if self._is_refuted(None):
            return INFEASIBLE
        return self._mended(self.left() / 5)

    def _mend(self) -> Outcome:
        return self._mended(self.left() / 2)

    def _mended(self, seconds: float, *, briefly: bool = False) -> Outcome:
        if not seconds:
            return UNKNOWN_YET
        self.tried.append('placing again what stands in the way')
        whole = mend.finish(
            self._compiled,
            self._contracted,
            self._found,
            deadline=seconds,
            seed=self._seed,
            index=self.index,
            briefly=briefly,
        )
        return self._valid(whole)

    def _valid(self, placement: Ints | None) -> Outcome:
        """Return the placement if there is one and it is right."""
        if placement is None or not amounts.is_valid(
            self._compiled, placement
        ):
            return UNKNOWN_YET
        return self._first(placement)

    # -- all members at once ------------------------------------

    def _solve_narrow(self) -> Outcome:
        return self._any(EFFORT) if self._pairs <= NARROW else UNKNOWN_YET

    def _solve_medium(self) -> Outcome:
        if NARROW < self._pairs <= MEDIUM:
            return self._any(EFFORT)
        return UNKNOWN_YET

    def _solve_wide(self) -> Outcome:
        return self._any(PERSISTENCE) if self._pairs <= WIDE else UNKNOWN_YET

    def _solve_large(self) -> Outcome:
        return self._any(None) if self._pairs <= LARGE else UNKNOWN_YET

    def _whole(self) -> Outcome:
        """Solve all of it to the optimum, as far as little time goes."""
        self.tried.append('all members at once')
        result = exact.solve(
            self._compiled,
            seconds=self.left(),
            effort=EFFORT,
            seed=self._seed,
        )
        if result.placement is not None:
            self.note('first_plan')
        return Outcome(result.verdict, result.placement, result.bound)

    def _any(self, effort: float | None) -> Outcome:
        """Look for any placement of all members at once."""
        if not self.left():
            return UNKNOWN_YET
        self.tried.append('all members at once')
        result = exact.solve(
            self._compiled,
            goal=exact.Goal.ANY,
            seconds=self.left(),
            effort=effort,
            seed=self._seed,
            index=self.index,
        )
        if result.placement is None:
            return Outcome(result.verdict)
        return self._first(result.placement)

    def _first(self, placement: Ints) -> Outcome:
        self.note('first_plan')
        return Outcome(model.Verdict.FEASIBLE, placement)


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


def _missing(found: greedy.Found) -> int:
    return sum(map(len, found.left)) + len(found.unmet)
