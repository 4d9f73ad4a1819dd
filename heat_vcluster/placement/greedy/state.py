# SPDX-License-Identifier: Apache-2.0
"""A placement in the making: what is free, what each clause has so far.

Members are put one *item* at a time: the servers that must share a host,
with the volumes that must sit there too, or a volume by itself. Every put can
be taken back. What a clause forbids or would charge is told for many domains
at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence, Set

import numpy as np
import numpy.typing as npt

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import brim, contract
from heat_vcluster.placement.numbers import compiled as numbers

# One in so many places is many: then all are looked at again, at once.
MANY = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """Members that go to one host, or one volume that goes to a pool.

    ``kind`` numbers the items that need the same.
    """

    number: int
    servers: tuple[int, ...]
    volumes: tuple[int, ...]
    size: tuple[int, ...]
    kind: int

    @property
    def is_anchored(self) -> bool:
        """Whether its place is a host."""
        return bool(self.servers) or len(self.volumes) > 1


@dataclasses.dataclass(frozen=True, slots=True)
class Loan:
    """Room that is counted as free though somebody has it.

    ``hosts`` and ``pools`` are pairs of a place and what is lent of it.
    """

    hosts: tuple[tuple[int, tuple[int, ...]], ...]
    pools: tuple[tuple[int, int], ...]

    @property
    def places(self) -> dict[int, None]:
        """The places, each once."""
        return dict.fromkeys(place for place, _ in (*self.hosts, *self.pools))


class Kind:
    """Where items of one kind fit at this moment; kept up lazily.

    ``fits`` is by place. It does not hold the state that it is of: a search
    in a large cloud is to be gone as soon as nobody wants it any more.
    """

    def __init__(self, state: State, item: Item) -> None:
        self._compiled = state.compiled
        self._item = item
        self._may = state.may(item)
        self.fits = state.room(item) & self._may
        self._seen = len(state.touched)
        self._counts: dict[int, Ints] = {}
        self._places: Ints | None = None

    @property
    def places(self) -> Ints:
        """The places that it fits, in order."""
        if self._places is None:
            self._places = np.flatnonzero(self.fits)
        return self._places

    def counts(self, scope: int) -> Ints:
        """Return, by domain, how many places there are that it fits."""
        if scope not in self._counts:
            compiled = self._compiled
            domains = compiled.domain[scope][self.fits]
            self._counts[scope] = np.bincount(
                domains[domains != UNKNOWN],
                minlength=compiled.n_domains[scope],
            )
        return self._counts[scope]

    def refresh(self, state: State) -> None:
        touched = state.touched
        if self._seen == len(touched):
            return
        fresh = set(touched[self._seen :])
        self._seen = len(touched)
        columns = self._compiled.domain
        changed = self._changed(state, fresh)
        self._list_again(changed)
        for place in changed:
            fits = not self.fits[place]
            self.fits[place] = fits
            for scope, counts in self._counts.items():
                domain = columns[scope][place]
                if domain != UNKNOWN:
                    counts[domain] += 1 if fits else -1

    def _list_again(self, changed: Sequence[int]) -> None:
        """Keep the list of places up, where that is less than a new one."""
        if self._places is None or not changed:
            return
        if len(changed) > 1:
            self._places = None
            return
        place = changed[0]
        index = int(np.searchsorted(self._places, place))
        if self.fits[place]:
            self._places = np.delete(self._places, index)
        else:
            self._places = np.insert(self._places, index, place)

    def _changed(self, state: State, fresh: Set[int]) -> list[int]:
        """Return the places, of those touched, where fitting has changed.

        Whole columns at once are faster where many were touched.
        """
        item = self._item
        is_simple = len(item.volumes) <= 1
        if is_simple and len(fresh) * MANY > state.compiled.n_places:
            fits = state.room(item) & self._may
            changed: list[int] = np.flatnonzero(fits != self.fits).tolist()
            return changed
        return [
            place
            for place in fresh
            if self._may[place]
            and state.has_room(item, place) != self.fits[place]
        ]


class Tally:
    """What one clause has so far, by domain."""

    def __init__(self, state: State, clause: numbers.Clause) -> None:
        compiled = state.compiled
        self.clause = clause
        self.kind = clause.kind
        self.scope = clause.scope
        self.limit = clause.limit
        self.weight = clause.weight
        count = compiled.n_domains[clause.scope]
        self.count = np.zeros(count, np.int64)
        self.unit_of = {
            member: number
            for number, unit in enumerate(clause.units)
            for member in unit
        }
        self.has_units = any(len(unit) > 1 for unit in clause.units)
        # Unit -> domain -> members of it there.
        self.present: dict[int, dict[int, int]] = {}
        if clause.kind is constraints.AtLeast:
            # What shares a domain anyway opens but one.
            bundle_of = state.bundle_of[clause.scope]
            self.bundle_of = {m: int(bundle_of[m]) for m in clause.members}
            self.bundles = len(set(self.bundle_of.values()))
            self.begun: dict[int, int] = {}
        # Where an AtMost has its most, by domain.
        self._is_full = np.full(count, self.limit <= 0, np.bool_)
        self.used = 0  # domains
        self.placed = 0  # members that count
        self.total = len(clause.members)
        self.busy = compiled.busy[clause.scope]
        self.others = (
            state.everybody[clause.scope]
            if clause.kind is constraints.Alone
            else self.count
        )
        if clause.kind is constraints.Level:
            self.within = np.array(clause.domains, np.int64)
            self.is_within = np.zeros(count, np.bool_)
            self.is_within[self.within] = True
            spread = len(clause.domains)
            self.most = (
                (self.total + (spread - 1) * self.limit) // spread
                if spread
                else self.total
            )
        if clause.kind is constraints.Lost:
            self.lost = clause.lost
            self.most = _most_of_lost(clause, count)

    def add(self, member: int, domain: int) -> None:
        self.placed += 1
        if self.kind is constraints.AtLeast:
            bundle = self.bundle_of[member]
            self.begun[bundle] = self.begun.get(bundle, 0) + 1
        if self.kind is constraints.AtMost and self.has_units:
            present = self.present.setdefault(self.unit_of[member], {})
            here = present.get(domain, 0)
            present[domain] = here + 1
            if here:
                return
        self.count[domain] += 1
        self._is_full[domain] = self.count[domain] >= self.limit
        if self.count[domain] == 1:
            self.used += 1

    def remove(self, member: int, domain: int) -> None:
        self.placed -= 1
        if self.kind is constraints.AtLeast:
            bundle = self.bundle_of[member]
            self.begun[bundle] -= 1
            if not self.begun[bundle]:
                del self.begun[bundle]
        if self.kind is constraints.AtMost and self.has_units:
            present = self.present[self.unit_of[member]]
            here = present.pop(domain) - 1
            if here:
                present[domain] = here
                return
        self.count[domain] -= 1
        self._is_full[domain] = self.count[domain] >= self.limit
        if not self.count[domain]:
            self.used -= 1

    def forbids(self, member: int) -> Flags | None:
        """Return, by domain, where this member must not go; None: nowhere."""
        if self.kind is constraints.AtMost:
            if self.limit >= self.total:
                return None
            return self._full(member)
        if self.kind is constraints.Level:
            return self._unlevel()
        if self.kind is constraints.Lost:
            return self._costly() if self.limit < self.total else None
        if self.kind is constraints.AtLeast:
            if self.bundle_of[member] in self.begun:
                return None
            left = self.bundles - len(self.begun)
            if self.limit - self.used >= left and self.used:
                return self.count > 0
            return None
        if self.kind is constraints.Alone:
            return self._taken()
        if self.kind is constraints.Together and self.used:
            away: Flags = self.count == 0
            return away
        return None

    def _full(self, member: int) -> Flags:
        """Return where one more unit is too many, unless it is there.

        Not to be changed by who gets it.
        """
        if not self.has_units:
            return self._is_full
        full = self._is_full.copy()
        full[list(self.present.get(self.unit_of[member], ()))] = False
        return full

    def is_forbidden(self, member: int, domain: int) -> bool:
        """Tell what ``forbids`` says of one domain, for less."""
        count = self.count[domain]
        if self.kind is constraints.AtMost:
            if self.limit >= self.total or count < self.limit:
                return False
            unit = self.unit_of[member]
            return domain not in self.present.get(unit, ())
        if self.kind is constraints.Alone:
            return bool(self.busy[domain] or self.others[domain] > count)
        if self.kind is constraints.Together:
            return bool(self.used and not count)
        barred = self.forbids(member)
        return barred is not None and bool(barred[domain])

    def _taken(self) -> Flags:
        """Return where others are, for those who must be alone."""
        taken: Flags = self.busy | (self.others > self.count)
        return taken

    def _unlevel(self) -> Flags | None:
        if not len(self.within):
            return None
        here = self.count[self.within]
        full: Flags = self.is_within & (self.count >= self.most)
        low, high = int(here.min()), int(here.max())
        left = self.total - self.placed
        # What it takes to lift all to within the skew of the highest.
        wanted = int(np.maximum(high - self.limit - here, 0).sum())
        if wanted >= left and wanted:
            full = full | (self.count >= high - self.limit)
        elif left <= len(self.within):
            full = full | (self.is_within & (self.count > low + self.limit))
        return full

    def _costly(self) -> Flags:
        """Return where one more leaves too few whatever is lost.

        It counts where it is among those with the most, ties included.
        """
        worst = np.sort(self.count)[::-1][: self.lost]
        full: Flags = self.count >= self.most
        if int(worst.sum()) >= self.limit:
            least = int(worst[-1]) if len(worst) == self.lost else 0
            full = full | (self.count >= least)
        return full

    def charges(self, member: int) -> Ints | None:
        """Return, by domain, about what this member would cost there."""
        weight = self.weight or 0
        if not weight:
            return None
        if self.kind is constraints.Alone:
            return np.where(self._taken() & (self.count == 0), weight, 0)
        if not self.placed:
            return None
        if self.kind is constraints.Together:
            return np.where(self.count == 0, weight, 0)
        if self.kind is constraints.AtMost:
            return np.where(self._full(member), weight, 0)
        if self.kind is constraints.Lost and self.limit < self.total:
            return np.where(self._costly(), weight, 0)
        if self.kind is constraints.Level and len(self.within):
            low = int(self.count[self.within].min())
            over = self.is_within & (self.count >= low + self.limit)
            return np.where(over, weight, 0)
        if self.kind is constraints.AtLeast and self.used < self.limit:
            return np.where(self.count > 0, weight, 0)
        return None


def _most_of_lost(clause: numbers.Clause, domains: int) -> int:
    """Return how many one domain may have for the others to have room.

    With m in it, and m the most, those lost with it have what the limit
    leaves, and no other has more than the least of those.
    """
    for most in range(min(clause.limit, len(clause.members)), 1, -1):
        least = (
            (clause.limit - most) // (clause.lost - 1)
            if clause.lost > 1
            else most
        )
        others = max(domains - clause.lost, 0) * min(least, most)
        if clause.limit + others >= len(clause.members):
            return most
    return 1


class State:
    """Items, their kinds, and where they are put.

    ``brims``: nothing fits where it leaves a rest that nobody fills up (see
    ``brim``).
    """

    def __init__(
        self,
        compiled: numbers.Compiled,
        contracted: contract.Contracted,
        brims: bool = False,
    ) -> None:
        self.compiled = compiled
        self.free = [column.copy() for column in compiled.free]
        self.pool_free = compiled.pool_free.copy()
        self.budget_left = [
            [room.copy() for room in cap.room] for cap in compiled.budgets
        ]
        self.bundle_of = contracted.bundle_of
        self.touched: list[int] = []
        self.where = np.full(len(compiled.members), UNKNOWN, np.int64)
        self.everybody = [
            np.zeros(count, np.int64) for count in compiled.n_domains
        ]
        self.n_left = 0  # items, so far
        # By scope and domain: which item, of those, was the last to leave.
        self.left_at = [
            np.zeros(count, np.int64) for count in compiled.n_domains
        ]
        self._on_host = np.zeros(compiled.n_hosts, np.int64)  # our servers
        self.in_use = np.zeros(compiled.n_hosts, np.bool_)  # by any
        self._may_pools: dict[int, Flags] = {}  # by shape
        self._pools_of: dict[int, list[int]] = {}
        for pool in range(compiled.n_hosts, compiled.n_places):
            host = int(compiled.domain[0][pool])
            if host != UNKNOWN:
                self._pools_of.setdefault(host, []).append(pool)
        # (item number, scope) -> the domain it is best alone in.
        self.kept: dict[tuple[int, int], int] = {}
        self._tally(compiled)
        self.items = tuple(self._find_items(contracted))
        # By item number: the member that stands for it, if that is a volume
        # that says where a host is.
        self._first = np.array(
            [(*item.servers, *item.volumes)[0] for item in self.items],
            np.int64,
        )
        self._is_by_pool = np.array(
            [i.is_anchored and not i.servers for i in self.items], np.bool_
        )
        self._kinds: dict[int, Kind] = {}
        self.brim: brim.Brim | None = self._find_brim() if brims else None
        self._put_fixed()

    def _find_items(self, contracted: contract.Contracted) -> Iterator[Item]:
        compiled = self.compiled
        kinds: dict[object, int] = {}
        idle: dict[int, set[int]] = {}  # scopes at which it must be alone
        for clause in compiled.hard:
            if clause.kind is constraints.Alone:
                for member in clause.members:
                    idle.setdefault(member, set()).add(clause.scope)
        self.item_of = np.full(len(compiled.members), UNKNOWN, np.int64)
        number = 0
        for members in contracted.bundles[0]:
            free = [
                m
                for m in members
                if not compiled.shapes[int(compiled.shape_of[m])].fixed
            ]
            if not free:
                continue
            servers = tuple(m for m in free if compiled.is_server[m])
            volumes = tuple(m for m in free if not compiled.is_server[m])
            size = tuple(
                sum(compiled.size(m)[r] for m in servers)
                for r in range(len(compiled.resources))
            )
            key = (
                size,
                tuple(sorted({int(compiled.shape_of[m]) for m in servers})),
                tuple(sorted(int(compiled.shape_of[m]) for m in volumes)),
                frozenset(s for m in servers for s in idle.get(m, ())),
            )
            kind = kinds.setdefault(key, len(kinds))
            self.item_of[list(free)] = number
            yield Item(number, servers, volumes, size, kind)
            number += 1

    def _find_brim(self) -> brim.Brim:
        hosts = slice(0, self.compiled.n_hosts)
        on_hosts = [item for item in self.items if item.is_anchored]
        kinds = {item.kind: item for item in on_hosts}
        self.brim = None
        return brim.Brim(
            self.free,
            [
                (item.size, self.may(item)[hosts] & self.room(item)[hosts])
                for item in kinds.values()
            ],
            [
                sum(item.size[resource] for item in on_hosts)
                for resource in range(len(self.free))
            ],
        )

    def _leaves_no_rest(self, item: Item, host: int) -> bool:
        rest = tuple(
            int(free[host]) - amount
            for amount, free in zip(item.size, self.free, strict=True)
        )
        return self.brim is None or self.brim.can_fill(host, rest)

    def _tally(self, compiled: numbers.Compiled) -> None:
        self.hard = [Tally(self, clause) for clause in compiled.hard]
        self.soft = [
            Tally(self, clause)
            for clause in compiled.soft
            if clause.kind is not constraints.Near
        ]
        members = range(len(compiled.members))
        self.hard_of: list[list[Tally]] = [[] for _ in members]
        self.soft_of: list[list[Tally]] = [[] for _ in members]
        for tallies, by_member in (
            (self.hard, self.hard_of),
            (self.soft, self.soft_of),
        ):
            for tally in tallies:
                for member in tally.clause.members:
                    by_member[member].append(tally)
        self.near_of: list[list[numbers.Clause]] = [[] for _ in members]
        for clause in compiled.soft:
            if clause.kind is constraints.Near and clause.weight:
                for member in clause.members:
                    self.near_of[member].append(clause)
        self.alone = [t for t in self.hard if t.kind is constraints.Alone]
        # By scope and domain: how many are there who must be alone.
        self.owned = {
            tally.scope: np.zeros(compiled.n_domains[tally.scope], np.int64)
            for tally in self.alone
        }

    def _put_fixed(self) -> None:
        for member in range(len(self.compiled.members)):
            shape = self.compiled.shapes[int(self.compiled.shape_of[member])]
            if shape.fixed and len(shape.places):
                self._count(member, int(shape.places[0]))

    # -- fitting ----------------------------------------------

    def kind(self, item: Item) -> Kind:
        if item.kind not in self._kinds:
            self._kinds[item.kind] = Kind(self, item)
        kind = self._kinds[item.kind]
        kind.refresh(self)
        return kind

    def may(self, item: Item) -> Flags:
        """Return, by place, whether its needs allow it there at all."""
        compiled = self.compiled
        if not item.is_anchored:
            flags = np.zeros(compiled.n_places, np.bool_)
            flags[compiled.places(item.volumes[0])] = True
            return flags
        flags = np.zeros(compiled.n_places, np.bool_)
        flags[: compiled.n_hosts] = True
        self._bar_busy(item, flags)
        for member in (*item.servers, *item.volumes):
            found = compiled.places(member)
            if not compiled.is_server[member]:
                found = compiled.domain[0][found]
                found = found[found != UNKNOWN]
            one = np.zeros(compiled.n_places, np.bool_)
            one[found] = True
            flags &= one
        return flags

    def _bar_busy(self, item: Item, flags: Flags) -> None:
        """Leave out the hosts that are too busy for one who is alone."""
        hosts = slice(0, self.compiled.n_hosts)
        for member in item.servers:
            for tally in self.hard_of[member]:
                if tally.kind is constraints.Alone:
                    domains = self.compiled.domain[tally.scope][hosts]
                    flags[hosts] &= ~_by_place(tally.busy, domains)

    def room(self, item: Item) -> Flags:
        """Return, by place, whether the item fits there."""
        compiled = self.compiled
        room = np.zeros(compiled.n_places, np.bool_)
        hosts, pools = np.split(room, [compiled.n_hosts])
        if not item.is_anchored:
            pools[:] = self.pool_free >= compiled.size(item.volumes[0])[0]
            return room
        hosts[:] = True
        for amount, free in zip(item.size, self.free, strict=True):
            if amount:
                hosts &= free >= amount
        for volume in item.volumes:
            hosts &= self._hosts_with_pool(volume)
        if len(item.volumes) > 1:
            for host in np.flatnonzero(hosts).tolist():
                hosts[host] = self.pools_for(item, host) is not None
        if self.brim is not None:
            here = hosts & self.may(item)[: len(hosts)]
            for place in np.flatnonzero(here).tolist():
                hosts[place] = self._leaves_no_rest(item, place)
        return room

    def has_room(self, item: Item, place: int) -> bool:
        """Tell whether the item fits at a place of its sort."""
        if not item.is_anchored:
            gb = self.compiled.size(item.volumes[0])[0]
            return bool(self.pool_free[place - self.compiled.n_hosts] >= gb)
        for amount, free in zip(item.size, self.free, strict=True):
            if amount and free[place] < amount:
                return False
        if self.brim is not None and not self._leaves_no_rest(item, place):
            return False
        return not item.volumes or self.pools_for(item, place) is not None

    def _hosts_with_pool(self, volume: int) -> Flags:
        """Return, by host, whether a pool of it has room for the volume."""
        compiled = self.compiled
        pools = compiled.places(volume)
        free = self.pool_free[pools - compiled.n_hosts]
        hosts = compiled.domain[0][pools[free >= compiled.size(volume)[0]]]
        flags = np.zeros(compiled.n_hosts, np.bool_)
        flags[hosts[hosts != UNKNOWN]] = True
        return flags

    def pools_for(self, item: Item, host: int) -> list[int] | None:
        """Return a pool of the host for each volume; None: no way found."""
        compiled = self.compiled
        left = {
            pool: int(self.pool_free[pool - compiled.n_hosts])
            for pool in self._pools_of.get(host, ())
        }
        chosen: dict[int, int] = {}
        for volume in sorted(
            item.volumes, key=lambda v: (-compiled.size(v)[0], v)
        ):
            gb = compiled.size(volume)[0]
            may = self._may_pool(volume)
            fitting = [p for p, free in left.items() if free >= gb and may[p]]
            if not fitting:
                return None
            pool = min(fitting, key=lambda p: (left[p], p))
            left[pool] -= gb
            chosen[volume] = pool
        return [chosen[volume] for volume in item.volumes]

    def _may_pool(self, volume: int) -> Flags:
        shape = int(self.compiled.shape_of[volume])
        if shape not in self._may_pools:
            flags = np.zeros(self.compiled.n_places, np.bool_)
            flags[self.compiled.places(volume)] = True
            self._may_pools[shape] = flags
        return self._may_pools[shape]

    # -- rules ----------------------------------------------

    def allowed(self, item: Item, places: Ints) -> Flags:
        """Return which of the places no hard clause forbids the item."""
        here = np.ones(len(places), np.bool_)
        done = set()
        for member in (*item.servers, *item.volumes):
            for tally in self.hard_of[member]:
                if id(tally) in done:
                    continue
                if not tally.has_units:
                    done.add(id(tally))
                self._apply(tally.forbids(member), tally.scope, places, here)
        for scope in self.owned:
            domains = self.compiled.domain[scope][places]
            here &= ~self._others(item, scope, domains)
        for cap, left in zip(
            self.compiled.budgets, self.budget_left, strict=True
        ):
            for amount, room in zip(item.size, left, strict=True):
                if amount:
                    self._apply(room < amount, cap.scope, places, here)
        return here

    def _is_allowed(self, item: Item, place: int) -> bool:
        """Tell what ``allowed`` says of one place, for less."""
        column = self.compiled.domain
        for member in (*item.servers, *item.volumes):
            for tally in self.hard_of[member]:
                domain = int(column[tally.scope][place])
                if domain != UNKNOWN and tally.is_forbidden(member, domain):
                    return False
        if not self.owned and not self.compiled.budgets:
            return True
        return bool(self.allowed(item, np.array([place]))[0])

    def _others(self, item: Item, scope: int, domains: Ints) -> Flags:
        """Tell which of the domains one of the item's members may not share.

        There is somebody who must be alone, by a rule that it is not in.
        """
        barred = np.zeros(len(domains), np.bool_)
        if not self.compiled.n_domains[scope]:
            return barred
        count = self.owned[scope][domains]
        seen = set()
        for member in (*item.servers, *item.volumes):
            own = [
                tally
                for tally in self.hard_of[member]
                if tally.kind is constraints.Alone and tally.scope == scope
            ]
            key = tuple(map(id, own))
            if key not in seen:
                seen.add(key)
                barred |= count > sum(tally.count[domains] for tally in own)
        barred &= domains != UNKNOWN
        return barred

    def secluded(self, item: Item) -> set[int]:
        """Return the scopes at which the item must be alone with its own."""
        return {
            tally.scope
            for member in (*item.servers, *item.volumes)
            for tally in self.hard_of[member]
            if tally.kind is constraints.Alone
        }

    def _apply(
        self, barred: Flags | None, scope: int, places: Ints, here: Flags
    ) -> None:
        if barred is None:
            return
        domains = self.compiled.domain[scope][places]
        here &= ~_by_place(barred, domains)

    def openings(self, item: Item, places: Ints) -> npt.NDArray[np.float64]:
        """Return a price on domains that those who are alone could use.

        They go where a domain is kept for them, or begin one only if they
        must; others leave idle ones be.
        """
        price = np.zeros(len(places))
        mine: dict[int, Tally] = {}
        for member in (*item.servers, *item.volumes):
            for tally in self.hard_of[member]:
                if tally.kind is constraints.Alone:
                    mine.setdefault(tally.scope, tally)
        for scope in self.owned:
            domains = self.compiled.domain[scope][places]
            kept = self.kept.get((item.number, scope))
            if kept is not None:
                price += np.where(domains != kept, 1e6, 0)
            elif scope in mine:
                dear = mine[scope].count == 0
                if mine[scope].used < self.domains_asked(mine[scope]):
                    dear = ~dear
                price += np.where(_by_place(dear, domains), 1e4, 0)
                if scope == 0 and item.is_anchored:
                    cramped = ~self._takes_rest(mine[scope], places)
                    price += np.where(cramped, 3e3, 0)
            else:
                idle = ~self.compiled.busy[scope] & (
                    self.everybody[scope] == 0
                )
                price += np.where(_by_place(idle, domains), 1e5, 0)
        return price

    def _takes_rest(self, alone: Tally, hosts: Ints) -> Flags:
        """Return which hosts have room for all of them without a place.

        Who opens a host that is too small for the others makes them open
        one more.
        """
        takes = np.ones(len(hosts), np.bool_)
        left = [
            m
            for m in alone.clause.members
            if self.where[m] == UNKNOWN and self.compiled.is_server[m]
        ]
        for resource, free in enumerate(self.free):
            wanted = sum(self.compiled.size(m)[resource] for m in left)
            takes &= free[hosts] >= wanted
        return takes

    def domains_asked(self, alone: Tally) -> int:
        """Return how many domains those who are alone must have."""
        first = alone.clause.members[0]
        return max(
            (
                tally.limit
                for tally in self.hard_of[first]
                if tally.kind is constraints.AtLeast
                and tally.scope == alone.scope
                and tally.unit_of.keys() <= alone.unit_of.keys()
            ),
            default=1,
        )

    def has_wishes(self, item: Item) -> bool:
        """Tell whether a soft clause cares where the item goes."""
        return any(
            self.soft_of[member] or self.near_of[member]
            for member in (*item.servers, *item.volumes)
        )

    def cost(self, item: Item, places: Ints) -> Ints:
        """Return about what the soft clauses would charge at each place."""
        total = np.zeros(len(places), np.int64)
        for member in (*item.servers, *item.volumes):
            for tally in self.soft_of[member]:
                charge = tally.charges(member)
                if charge is not None:
                    domains = self.compiled.domain[tally.scope][places]
                    known = domains != UNKNOWN
                    total[known] += charge[domains[known]]
            for clause in self.near_of[member]:
                total += self._distance(clause, places)
        return total

    def _distance(self, clause: numbers.Clause, places: Ints) -> Ints:
        """Return the cost of proximity with those of it that are placed."""
        cost = np.zeros(len(places), np.int64)
        mates = self.where[list(clause.members)]
        mates = mates[mates != UNKNOWN]
        if len(mates):
            columns = self.compiled.domain
            # Only what is wider than they are apart already can cost more.
            for scope in reversed(range(len(columns))):
                used = set(columns[scope][mates].tolist()) - {UNKNOWN}
                if len(used) > 1:
                    np.maximum(cost, scope + 1, out=cost)
                    break
                if used:
                    domains = columns[scope][places]
                    apart = (domains != UNKNOWN) & (domains != used.pop())
                    np.maximum(cost, (scope + 1) * apart, out=cost)
        return cost * (clause.weight or 0)

    def mates(self, item: Item) -> tuple[int, int, int]:
        """Return the narrowest domain of those it is to be near, by one rule.

        As (scope, domain, cost): the least that being near costs the item
        anywhere, which it costs nowhere else but in the domain. The domain is
        UNKNOWN if there is nobody, or no such domain above the host.
        """
        columns = self.compiled.domain
        best, total = (len(columns), UNKNOWN), 0
        for member in (*item.servers, *item.volumes):
            for clause in self.near_of[member]:
                mates = self.where[list(clause.members)]
                mates = mates[mates != UNKNOWN]
                if not len(mates):
                    continue
                floor = 0
                for scope in reversed(range(len(columns))):
                    used = set(columns[scope][mates].tolist()) - {UNKNOWN}
                    if len(used) > 1:
                        floor = scope + 1
                        break
                    if scope and used:
                        best = min(best, (scope, used.pop()))
                total += floor * (clause.weight or 0)
        return *best, total

    # -- lending ----------------------------------------------

    def lend(self, numbers: Iterable[int]) -> Loan:
        """Let the room of these items, who stay where they are, be free.

        Until it is given back; what is put meanwhile may be too much then.
        """
        hosts, pools = [], []
        for number in numbers:
            item = self.items[number]
            if item.servers:
                hosts.append((int(self.where[item.servers[0]]), item.size))
            for volume in item.volumes:
                size = self.compiled.size(volume)[0]
                pools.append((int(self.where[volume]), size))
        loan = Loan(tuple(hosts), tuple(pools))
        self._owe(loan, 1)
        self.n_left += 1
        for column, left_at in zip(
            self.compiled.domain, self.left_at, strict=True
        ):
            domains = column[list(loan.places)]
            left_at[domains[domains != UNKNOWN]] = self.n_left
        return loan

    def give_back(self, loan: Loan) -> list[int]:
        """Return the places where there is less than nothing now."""
        self._owe(loan, -1)
        return [place for place in loan.places if self.is_short(place)]

    def is_short(self, place: int) -> bool:
        """Tell whether those who are there take more than there is."""
        pool = place - self.compiled.n_hosts
        if pool >= 0:
            return bool(self.pool_free[pool] < 0)
        return any(bool(free[place] < 0) for free in self.free)

    def standing_at(self, place: int) -> list[int]:
        """Return the numbers of the items that have members there."""
        members = np.flatnonzero(self.where == place)
        return sorted({int(n) for n in self.item_of[members]} - {UNKNOWN})

    def _owe(self, loan: Loan, times: int) -> None:
        for host, size in loan.hosts:
            for amount, free in zip(size, self.free, strict=True):
                free[host] += times * amount
        for pool, gb in loan.pools:
            self.pool_free[pool - self.compiled.n_hosts] += times * gb
        for place in loan.places:
            if place < self.compiled.n_hosts:
                self.touched.append(place)
            else:
                self._touch_pool(place)

    # -- putting ----------------------------------------------

    def put(self, item: Item, place: int) -> bool:
        """Put the item; False: its volumes find no pools there."""
        compiled = self.compiled
        if not item.is_anchored:
            volume = item.volumes[0]
            pool = place - compiled.n_hosts
            self.pool_free[pool] -= compiled.size(volume)[0]
            self._touch_pool(place)
            self._count(volume, place)
            return True
        pools: list[int] = []
        if item.volumes:
            found = self.pools_for(item, place)
            if found is None:
                return False
            pools = found
        for amount, free in zip(item.size, self.free, strict=True):
            free[place] -= amount
        self.touched.append(place)
        for server in item.servers:
            self._count(server, place)
        self._on_host[place] += len(item.servers)
        self.in_use[place] = self._on_host[place] > 0
        for volume, pool in zip(item.volumes, pools, strict=True):
            self.pool_free[pool - compiled.n_hosts] -= compiled.size(volume)[0]
            self._touch_pool(pool)
            self._count(volume, pool)
        return True

    def put_if_allowed(self, item: Item, place: int) -> bool:
        """Put the item where it was, unless room or a rule is against it."""
        return (
            self.has_room(item, place)
            and self._is_allowed(item, place)
            and self.put(item, place)
        )

    def take(self, item: Item) -> None:
        """Take the item away from where it is, so that others may go there."""
        self.n_left += 1
        for member in (*item.servers[:1], *item.volumes):
            place = self.where[member]
            for column, left_at in zip(
                self.compiled.domain, self.left_at, strict=True
            ):
                if column[place] != UNKNOWN:
                    left_at[column[place]] = self.n_left
        self.undo(item)

    def undo(self, item: Item) -> None:
        """Take back what was put only just, as an attempt."""
        compiled = self.compiled
        for volume in item.volumes:
            pool = int(self.where[volume])
            self.pool_free[pool - compiled.n_hosts] += compiled.size(volume)[0]
            self._touch_pool(pool)
            self._discount(volume)
        if item.servers:
            host = int(self.where[item.servers[0]])
            for amount, free in zip(item.size, self.free, strict=True):
                free[host] += amount
            self._on_host[host] -= len(item.servers)
            self.in_use[host] = self._on_host[host] > 0
            self.touched.append(host)
            for server in item.servers:
                self._discount(server)

    def _touch_pool(self, place: int) -> None:
        self.touched.append(place)
        host = int(self.compiled.domain[0][place])
        if host != UNKNOWN:
            self.touched.append(host)

    def places_of(self, numbers: Ints) -> Ints:
        """Return the places of items, all of which have one."""
        places = self.where[self._first[numbers]]
        by_pool = self._is_by_pool[numbers]
        places[by_pool] = self.compiled.domain[0][places[by_pool]]
        return places

    def is_placed(self, item: Item) -> bool:
        first = item.servers[0] if item.servers else item.volumes[0]
        return bool(self.where[first] != UNKNOWN)

    def _count(self, member: int, place: int) -> None:
        self.where[member] = place
        for scope, column in enumerate(self.compiled.domain):
            domain = int(column[place])
            if domain != UNKNOWN:
                self.everybody[scope][domain] += 1
        self._spend(member, place, 1)
        for tally in self._tallies(member):
            domain = int(self.compiled.domain[tally.scope][place])
            if domain != UNKNOWN:
                tally.add(member, domain)
                if tally.kind is constraints.Alone and tally.weight is None:
                    self.owned[tally.scope][domain] += 1

    def _discount(self, member: int) -> None:
        place = int(self.where[member])
        self.where[member] = UNKNOWN
        for scope, column in enumerate(self.compiled.domain):
            domain = int(column[place])
            if domain != UNKNOWN:
                self.everybody[scope][domain] -= 1
        self._spend(member, place, -1)
        for tally in self._tallies(member):
            domain = int(self.compiled.domain[tally.scope][place])
            if domain != UNKNOWN:
                tally.remove(member, domain)
                if tally.kind is constraints.Alone and tally.weight is None:
                    self.owned[tally.scope][domain] -= 1

    def _spend(self, member: int, place: int, times: int) -> None:
        """Take what the member takes from the provider's budgets."""
        if not self.compiled.is_server[member]:
            return
        for cap, left in zip(
            self.compiled.budgets, self.budget_left, strict=True
        ):
            domain = int(self.compiled.domain[cap.scope][place])
            if domain != UNKNOWN:
                size = self.compiled.size(member)
                for amount, room in zip(size, left, strict=True):
                    room[domain] -= times * amount

    def _tallies(self, member: int) -> Iterable[Tally]:
        yield from self.hard_of[member]
        yield from self.soft_of[member]


def _by_place(flags: Flags, domains: Ints) -> Flags:
    """Return flags by domain by place; False where no domain is known."""
    if not len(flags):
        return np.zeros(len(domains), np.bool_)
    # UNKNOWN is a number too, of the last domain, and left out again.
    found: Flags = flags[domains] & (domains != UNKNOWN)
    return found
