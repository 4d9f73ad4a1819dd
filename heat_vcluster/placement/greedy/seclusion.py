# SPDX-License-Identifier: Apache-2.0
"""Which domains are kept for those who must be alone.

A domain is for one rule of theirs, so who gets which is a matching: between
what must share a domain and the idle domains with room for it. Taken one
after another, a few take what others need, and there is no second choice
where idle domains are few. Nothing is placed here and nothing is forbidden:
what is kept is where the greedy search looks first.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.greedy.state import Item, State, Tally
from heat_vcluster.placement.numbers import contract

# Items that share a domain at some scope, whoever else does.
Piece = tuple[Item, ...]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Party:
    """Pieces that want a domain at a scope to themselves, by one rule."""

    scope: int
    pieces: tuple[Piece, ...]

    @property
    def items(self) -> Iterator[Item]:
        return (item for piece in self.pieces for item in piece)

    @property
    def members(self) -> Iterator[int]:
        return (m for i in self.items for m in (*i.servers, *i.volumes))


# Tells whether the party as a whole could go to the domain as things stand.
Takes = Callable[[Party, int], bool]


def keep(
    state: State, contracted: contract.Contracted, top: int, takes: Takes
) -> dict[tuple[int, int], int]:
    """Return (item number, scope) -> the domain that is best kept for it.

    For those who must be alone at a scope up to ``top``; none of them may
    be placed yet. Who is not in it finds no domain beside the others.
    """
    kept: dict[tuple[int, int], int] = {}
    # A domain that is kept takes those in it away from all others: so the
    # widest come first.
    for scope in sorted(state.owned, reverse=True):
        if scope <= top:
            rules = _by_rule(state, contracted, scope)
            only = _without_choice(state, scope, rules)
            if only is None:
                domains = _Domains(state, scope, kept, takes)
                only = _matched(domains, rules)
            kept.update(only)
    return kept


def _without_choice(
    state: State, scope: int, rules: Sequence[Sequence[Piece]]
) -> dict[tuple[int, int], int] | None:
    """Return where they are, if each may be in one place only.

    None: some have a choice, or two rules want the same domain.
    """
    compiled = state.compiled
    found: dict[tuple[int, int], int] = {}
    held: dict[int, int] = {}
    for rule, pieces in enumerate(rules):
        for item in (item for piece in pieces for item in piece):
            for member in (*item.servers, *item.volumes):
                places = compiled.places(member)
                if len(places) != 1:
                    return None
                domain = int(compiled.domain[scope][places[0]])
                is_held = held.setdefault(domain, rule) != rule
                if is_held or domain == UNKNOWN:
                    return None
                found[item.number, scope] = domain
    return found


def _matched(
    domains: _Domains, rules: Sequence[Sequence[Piece]]
) -> dict[tuple[int, int], int]:
    """Return who gets which domain: few domains if that leaves nobody out.

    Who shares with its own needs a larger domain, which then may be missing
    elsewhere.
    """
    wanted = sum(map(len, rules))
    matchings = []
    for is_sharing in (True, False):
        matching = _Matching(domains)
        matchings.append(matching)
        for pieces in rules:
            matching.settle(pieces, is_sharing)
        if matching.settled == wanted:
            break
    return max(matchings, key=lambda matching: matching.settled).kept()


def _by_rule(
    state: State, contracted: contract.Contracted, scope: int
) -> list[tuple[Piece, ...]]:
    """Return the pieces that may share a domain; who has no choice first."""
    found: dict[tuple[int, ...], list[Piece]] = {}
    for members in contracted.bundles[scope]:
        rules = _rules(state, members[0], scope)
        numbers = sorted({int(state.item_of[m]) for m in members} - {UNKNOWN})
        if rules and numbers:
            key = tuple(id(tally) for tally in rules)
            piece = tuple(state.items[n] for n in numbers)
            found.setdefault(key, []).append(piece)
    return sorted(map(tuple, found.values()), key=len)


def _rules(state: State, member: int, scope: int) -> list[Tally]:
    return [
        tally
        for tally in state.hard_of[member]
        if tally.kind is constraints.Alone and tally.scope == scope
    ]


class _Matching:
    """Parties and domains at one scope, one for each.

    It grows by augmenting paths: a party takes another's domain if that one
    finds a new one, and so on. Who has a domain will always have one.
    """

    def __init__(self, domains: _Domains) -> None:
        self._domains = domains
        self._holder: dict[int, Party] = {}
        self._domain_of: dict[Party, int] = {}

    @property
    def settled(self) -> int:
        """How many pieces have a domain."""
        return sum(len(party.pieces) for party in self._domain_of)

    def kept(self) -> dict[tuple[int, int], int]:
        return {
            (item.number, party.scope): domain
            for party, domain in self._domain_of.items()
            for item in party.items
        }

    def settle(self, pieces: Sequence[Piece], is_sharing: bool) -> None:
        """Find as few domains as will do for one rule, or one each."""
        scope = self._domains.scope
        fewest = self._domains.asked(pieces[0]) if is_sharing else len(pieces)
        for count in range(fewest, len(pieces)):
            parties = [
                Party(scope, tuple(pieces[first::count]))
                for first in range(count)
            ]
            if all(self._add(party) for party in parties):
                return
            self._dismiss(parties)
        alone: list[Party] = []
        for piece in pieces:
            party = Party(scope, (piece,))
            if self._add(party):
                alone.append(party)
            else:
                self._join(party, alone)

    def _dismiss(self, parties: Sequence[Party]) -> None:
        for party in parties:
            domain = self._domain_of.pop(party, None)
            if domain is not None:
                del self._holder[domain]

    def _join(self, party: Party, others: list[Party]) -> None:
        """Let it share a domain with one of its own, if any takes both."""
        for other in others:
            domain = self._domain_of.pop(other)
            del self._holder[domain]
            both = Party(party.scope, other.pieces + party.pieces)
            if self._add(both):
                others.remove(other)
                others.append(both)
                return
            self._domain_of[other] = domain
            self._holder[domain] = other

    def _add(self, party: Party) -> bool:
        """Find a domain for one more; others may have to change theirs.

        Whether a domain takes a party indeed is only looked at where it is
        about to get it: that takes by far the longest.
        """
        while (way := self._way(party)) is not None:
            if all([self._domains.fit(*step) for step in way]):
                for asker, domain in way:
                    self._holder[domain] = asker
                    self._domain_of[asker] = domain
                return True
        return False

    def _way(self, party: Party) -> list[tuple[Party, int]] | None:
        """Return who gets which domain, so that the party has one as well."""
        asked: dict[int, Party] = {}  # domain -> who came upon it first
        is_held = np.zeros(self._domains.count, np.bool_)
        is_held[list(self._holder)] = True
        is_asked = np.zeros(self._domains.count, np.bool_)
        askers = collections.deque([party])
        while askers:
            asker = askers.popleft()
            options = self._domains.hopeful(asker)
            options = options[~is_asked[options]]
            free = np.flatnonzero(~is_held[options])
            if len(free):
                options = options[: free[0] + 1]
            is_asked[options] = True
            asked.update(dict.fromkeys(options.tolist(), asker))
            if len(free):
                return list(self._steps(int(options[-1]), asked))
            askers.extend(self._holder[d] for d in options.tolist())
        return None

    def _steps(
        self, free: int, asked: Mapping[int, Party]
    ) -> Iterator[tuple[Party, int]]:
        """Give everybody on the way to the free domain what it asked for."""
        domain: int | None = free
        while domain is not None:
            party = asked[domain]
            yield party, domain
            domain = self._domain_of.get(party)


class _Domains:
    """The domains at one scope, and which of them fit whom."""

    def __init__(
        self,
        state: State,
        scope: int,
        wider: Mapping[tuple[int, int], int],
        takes: Takes,
    ) -> None:
        self.scope = scope
        self._state = state
        self._compiled = state.compiled
        self._wider = wider
        self._takes = takes
        self._column = self._compiled.domain[scope][: self._compiled.n_hosts]
        self.count = self._compiled.n_domains[scope]
        # By likeness: the domains seen to take such a party (1), or not (-1).
        self._known: dict[object, Ints] = {}
        self._options: dict[Party, Ints] = {}
        self._likenesses: dict[Party, tuple[object, ...]] = {}
        self._slots_of: dict[int, Ints] = {}  # by item kind
        self._room = [self._total(free) for free in state.free]
        self._order = self._smallest_first()
        self._given = self._find_given()

    def asked(self, piece: Piece) -> int:
        """Return how many domains its rule must have, at the least."""
        return max(
            (
                self._state.domains_asked(tally)
                for member in Party(self.scope, (piece,)).members
                for tally in _rules(self._state, member, self.scope)
            ),
            default=1,
        )

    def options(self, party: Party) -> Ints:
        """Return the domains that might take the party, smallest first."""
        if party not in self._options:
            order = self._order
            self._options[party] = order[self._might(party)[order]]
        return self._options[party]

    def hopeful(self, party: Party) -> Ints:
        """Return the options that may take the party, as far as is known."""
        options = self.options(party)
        if self.scope == 0 and len(party.pieces) == 1:
            return options
        return options[self._seen(party)[options] >= 0]

    def fit(self, party: Party, domain: int) -> bool:
        """Tell whether one of the party's options takes it indeed."""
        if self.scope == 0 and len(party.pieces) == 1:
            return True
        seen = self._seen(party)
        if not seen[domain]:
            seen[domain] = 1 if self._takes(party, domain) else -1
        return bool(seen[domain] > 0)

    def _seen(self, party: Party) -> Ints:
        """Return, by domain, what is known of parties like this one."""
        likeness = self._likeness(party)
        if likeness not in self._known:
            self._known[likeness] = np.zeros(self.count, np.int64)
        return self._known[likeness]

    def _likeness(self, party: Party) -> tuple[object, ...]:
        """Return what parties have in common that fit the same domains."""
        if party not in self._likenesses:
            self._likenesses[party] = self._find_likeness(party)
        return self._likenesses[party]

    def _find_likeness(self, party: Party) -> tuple[object, ...]:
        clauses = {
            tally.clause
            for member in party.members
            for tally in self._state.hard_of[member]
        }
        rules = sorted(
            (
                clause.kind.__name__,
                clause.scope,
                clause.limit,
                clause.lost,
            )
            for clause in clauses
        )
        return (*rules, *sorted(item.kind for item in party.items))

    # -- room ----------------------------------------------

    def _total(self, by_host: Ints) -> Ints:
        """Return the sums over the hosts of each domain."""
        known = self._column != UNKNOWN
        total = np.zeros(self.count, np.int64)
        np.add.at(total, self._column[known], by_host[known])
        return total

    def _smallest_first(self) -> Ints:
        worth = np.zeros(self.count)
        for room in self._room:
            worth += room / max(int(room.max(initial=0)), 1)
        return np.argsort(worth, kind='stable')

    def _slots(self, item: Item) -> Ints:
        """Return how many items of the kind each domain takes at the most."""
        if item.kind not in self._slots_of:
            state = self._state
            kind = state.kind(item)
            slots = kind.counts(self.scope)
            if any(item.size):
                by_host = np.where(kind.fits[: len(self._column)], 64, 0)
                for amount, free in zip(item.size, state.free, strict=True):
                    if amount:
                        by_host = np.minimum(by_host, free // amount)
                slots = self._total(by_host)
            self._slots_of[item.kind] = slots
        return self._slots_of[item.kind]

    # -- who might go where ----------------------------------------------

    def _might(self, party: Party) -> Flags:
        """Return where nothing obvious speaks against the party."""
        might: Flags = ~self._given_to_others(party)
        for resource, room in enumerate(self._room):
            might &= room >= sum(i.size[resource] for i in party.items)
        kinds = collections.Counter(item.kind for item in party.items)
        for item in {item.kind: item for item in party.items}.values():
            might &= self._slots(item) >= kinds[item.kind]
        for member in party.members:
            for tally in _rules(self._state, member, self.scope):
                taken = tally.forbids(member)
                if taken is not None:
                    might &= ~taken
        return might

    def _find_given(self) -> dict[int, Flags]:
        """Return, by wider scope, which domains are kept for somebody."""
        given: dict[int, Flags] = {}
        for (_, wide), domain in self._wider.items():
            if wide not in given:
                count = self._compiled.n_domains[wide]
                # One more, for what lies nowhere.
                given[wide] = np.zeros(count + 1, np.bool_)
            given[wide][domain] = True
        return given

    def _given_to_others(self, party: Party) -> Flags:
        """Return which domains lie in a wider one kept for others."""
        others: Flags = np.zeros(self.count, np.bool_)
        for wide, flags in self._given.items():
            given = flags.copy()
            for item in party.items:
                given[self._wider.get((item.number, wide), UNKNOWN)] = False
            others |= given[self._compiled.above(self.scope, wide)]
        return others
