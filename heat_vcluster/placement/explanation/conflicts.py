# SPDX-License-Identifier: Apache-2.0
"""Which rules clash: the smallest set of them that has no placement.

Adding a rule never makes a conflict go away, so a set is minimal if leaving
out any one of its rules lets all others be obeyed. Rules that can change
places with each other (see ``skeleton``) are told by their number alone, and
one test speaks for all of them; so a conflict of hundreds of rules takes
dozens of tests. A test is a proof over what is left of the problem, which is
small.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from heat_vcluster.placement import model
from heat_vcluster.placement.explanation.skeleton import Core, Skeleton, View
from heat_vcluster.placement.numbers import amounts, contract, unions
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.policies import base as policies

# Proven to have no placement (True), to have one (False), or neither.
Prove = Callable[[numbers.Compiled, float], bool | None]

GUESSES = 6  # sets of rules of a sort that are tried before all rules are
GUESSING = 0.4  # the part of the time that may go into it
SHARE = 0.25  # the part of the time left that one test may take


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that no placement obeys together, in the problem's order.

    ``is_minimal``: for every rule there is a placement that obeys all the
    others, proven. ``alike`` has the rules in blocks of those that can
    change places. ``tests``: what it took.
    """

    rules: tuple[str, ...]
    is_minimal: bool
    alike: tuple[tuple[str, ...], ...] = ()
    tests: int = 0


def minimal(
    problem: model.Problem,
    kinds: Mapping[str, policies.Policy],
    prove: Prove,
    deadline: float,
    seed: int = 0,
) -> Conflict:
    """Return a conflict of a problem that is proven to have no placement.

    ``deadline`` is a moment of ``time.monotonic``. Without enough time the
    rules are too many rather than too few. ``seed`` has no say: the search
    draws nothing.
    """
    del seed
    skeleton = Skeleton(problem, kinds)
    tests = _Tests(skeleton, kinds, prove, deadline)
    start = _start(skeleton, tests, kinds)
    core, is_minimal = _Shrinking(skeleton, tests, start).run()
    names = tuple(sorted(core, key=skeleton.order.__getitem__))
    blocks = skeleton.view(core).blocks()
    return Conflict(names, is_minimal, tuple(map(tuple, blocks)), tests.number)


class _Tests:
    """Asks whether sets of rules conflict, and remembers."""

    def __init__(
        self,
        skeleton: Skeleton,
        kinds: Mapping[str, policies.Policy],
        prove: Prove,
        deadline: float,
    ) -> None:
        self._skeleton = skeleton
        self._kinds = kinds
        self._prove = prove
        self._deadline = deadline
        self._known: dict[Core, bool | None] = {}
        self._feasible: list[Core] = []
        self.number = 0

    def time_left(self) -> float:
        return self._deadline - time.monotonic()

    def conflicts(
        self, names: Iterable[str], seconds: float | None = None
    ) -> bool | None:
        """Tell whether no placement obeys all of these; None: not known."""
        core = frozenset(names)
        if core in self._known:
            return self._known[core]
        if any(core <= feasible for feasible in self._feasible):
            return False
        left = self.time_left()
        if left <= 0:
            return None
        allowed = left * SHARE if seconds is None else min(seconds, left)
        found = self._ask(core, allowed)
        self._known[core] = found
        if found is False:
            self._feasible.append(core)
        return found

    def _ask(self, core: Core, seconds: float) -> bool | None:
        self.number += 1
        compiled = compile_core(self._skeleton, self._kinds, core)
        if compiled.stuck():
            return True
        if not len(compiled.members):
            # Nobody may be too few.
            return not amounts.is_valid(compiled, np.empty(0, np.int64))
        return self._prove(compiled, seconds)


def compile_core(
    skeleton: Skeleton,
    kinds: Mapping[str, policies.Policy],
    core: Collection[str],
) -> numbers.Compiled:
    """Return what is left of the problem with only these rules in force."""
    view = skeleton.view(core)
    return numbers.Compiled(view.problem(), kinds, view.core)


# -- where to begin ----------------------------------------------------------


def _start(
    skeleton: Skeleton,
    tests: _Tests,
    kinds: Mapping[str, policies.Policy],
) -> Core:
    """Return a conflict, as small as is found fast."""
    everything = frozenset(skeleton.everything)
    whole = compile_core(skeleton, kinds, everything)
    stuck = whole.stuck()
    if stuck:
        return _homeless(skeleton, tests, whole.members[stuck[0]])
    contradiction = contract.contract(whole).contradiction
    if contradiction is not None:
        return frozenset(contradiction.rules)
    began = tests.time_left()
    for guess in _guesses(skeleton):
        if tests.time_left() < began * (1 - GUESSING):
            break
        if tests.conflicts(guess, began * GUESSING / 4):
            return guess
    return everything


def _homeless(skeleton: Skeleton, tests: _Tests, member: str) -> Core:
    """Return the conflict of a member that no place can take."""
    own = frozenset([numbers.fit(member)])
    if tests.conflicts(own):
        return own
    touching = skeleton.view(skeleton.everything).rules_of[member]
    return own.union(touching, skeleton.limits)


def _guesses(skeleton: Skeleton) -> Iterator[Core]:
    """Give sets of rules that may well conflict.

    The rules alone, the needs alone; a rule that is like no other, with the
    needs of its members; all that hangs together by rules in a like way,
    with its needs. Of each the largest first: if it does not conflict, no
    part of it does.
    """
    everything = frozenset(skeleton.everything)
    rules = frozenset(skeleton.rules)
    limits = frozenset(skeleton.limits)
    fits = everything - rules - limits
    guesses = [rules, fits]
    groups = [
        frozenset().union(*group)
        for group in _components(skeleton, rules - skeleton.is_alone | fits)
    ]
    guesses += sorted(groups, key=len, reverse=True)[:GUESSES]
    singles = [
        frozenset([block[0], *_fits_of(skeleton, block[0], fits)])
        for block in skeleton.view(everything).blocks()
        if block[0] in rules - skeleton.is_alone
    ]
    guesses += sorted(singles, key=len, reverse=True)[:GUESSES]
    if limits:
        guesses += [everything - limits, fits | limits]
    return (g for g in dict.fromkeys(guesses) if g and g != everything)


def _fits_of(skeleton: Skeleton, name: str, fits: Core) -> Iterator[str]:
    for member in skeleton.rules[name].members:
        if numbers.fit(member) in fits:
            yield numbers.fit(member)


def _components(skeleton: Skeleton, names: Core) -> list[list[Core]]:
    """Return what hangs together by common members, those alike together."""
    view = skeleton.view(names)
    tied = unions.Unions(view.members)
    for name in view.rules:
        tied.join(view.members_of[name])
    together: dict[str, list[str]] = collections.defaultdict(list)
    for name in view.rules:
        for member in view.members_of[name][:1]:
            together[tied.find(member)].append(name)
    colours, rule_colours = view.colours()
    for member in view.members:
        if numbers.fit(member) in names and tied.find(member) in together:
            together[tied.find(member)].append(numbers.fit(member))
    alike: dict[tuple[int, ...], list[Core]] = collections.defaultdict(list)
    for core in together.values():
        key = sorted(
            rule_colours[name]
            if name in rule_colours
            else -1 - colours[name.removeprefix(numbers.FIT)]
            for name in core
        )
        alike[tuple(key)].append(frozenset(core))
    return list(alike.values())


# -- leaving out -------------------------------------------------------------


class _Shrinking:
    """Leaves out of a conflict what it can do without.

    ``_needed`` are rules proven to be so: without one of them, and whatever
    else has gone or will go, there is a placement. ``_kept`` were not proven
    either way.
    """

    def __init__(self, skeleton: Skeleton, tests: _Tests, start: Core) -> None:
        self._skeleton = skeleton
        self._tests = tests
        self._core = start
        self._needed: set[str] = set()
        self._kept: set[str] = set()

    def run(self) -> tuple[Core, bool]:
        while self._tests.time_left() > 0:
            view = self._skeleton.view(self._core)
            settled = self._needed | self._kept
            blocks = [
                [name for name in block if name not in settled]
                for block in view.blocks()
            ]
            blocks = [block for block in blocks if block]
            if not blocks:
                break
            blocks.sort(key=_promise)
            self._step(view, blocks)
        return self._core, self._core <= self._needed

    def _step(self, view: View, blocks: list[list[str]]) -> None:
        """Settle at least one rule, or leave out at least one."""
        last = blocks[-1]
        if self._is_needed(view, last[-1], last):
            return
        if self._is_unknown(last[-1]):
            self._leave_all_or_none(last)
            return
        self._core = self._core - {last.pop()}
        blocks = [block for block in blocks if block]
        base = self._core - {name for block in blocks for name in block}
        self._leave_out(base, blocks)

    def _is_needed(self, view: View, name: str, block: list[str]) -> bool:
        if self._tests.conflicts(self._core - {name}) is not False:
            return False
        self._needed.update(view.orbit(name, block))
        return True

    def _is_unknown(self, name: str) -> bool:
        return self._tests.conflicts(self._core - {name}) is None

    def _leave_all_or_none(self, block: list[str]) -> None:
        if self._tests.conflicts(self._core.difference(block)):
            self._core = self._core.difference(block)
        else:
            self._kept.update(block)

    def _leave_out(self, base: Core, blocks: list[list[str]]) -> None:
        """Keep the fewest blocks, and of the last of those the fewest."""

        def with_blocks(count: int) -> Core:
            return base.union(*blocks[:count])

        count = self._fewest(with_blocks, len(blocks))
        self._core = with_blocks(count)
        if not count:
            return
        rest = with_blocks(count - 1)
        block = blocks[count - 1]

        def with_rules(count: int) -> Core:
            return rest.union(block[:count])

        self._core = with_rules(self._fewest(with_rules, len(block)))

    def _fewest(self, core: Callable[[int], Core], most: int) -> int:
        """Return the least number that still conflicts, by bisection.

        Often it is all of them: that is asked first.
        """
        low, high = -1, most
        if most and not self._tests.conflicts(core(most - 1)):
            return most
        while high - low > 1 and self._tests.time_left() > 0:
            middle = (low + high) // 2
            if self._tests.conflicts(core(middle)):
                high = middle
            else:
                low = middle
        return high


def _promise(block: list[str]) -> tuple[int, int]:
    """Put what is worth keeping first: rules, then needs of many members.

    Many members of the same needs are told in fewer words than a few of
    each. What is the provider's comes last: the tenant cannot change it.
    """
    if block[0].startswith(numbers.LIMIT):
        return 2, 0
    return int(block[0].startswith(numbers.FIT)), -len(block)
