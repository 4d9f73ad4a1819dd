# SPDX-License-Identifier: Apache-2.0
"""Which members the counted ones are: from counts by kind to a placement.

From the widest scope to blocks of hosts the bundles are dealt out to domains,
as many of each kind as the counts say, so that the rules which counts do not
see are obeyed; then each block's members to its hosts and pools. It may fail
where the counts promised too much: that proves nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.counting import capacity, framing, tally
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import contract
from heat_vcluster.placement.programs import linear

WIDEST = 150_000  # pairs of bundle and group that are dealt out at once
LARGEST = 20_000  # atoms times places of a block that is filled anyhow


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """A placement, and the blocks whose members found no room together.

    ``failed``: block -> its members, who have no place then. ``placement``
    None: the bundles could not even be dealt out to blocks.
    """

    placement: Ints | None = None
    failed: Mapping[int, Sequence[int]] = dataclasses.field(
        default_factory=dict
    )

    @property
    def whole(self) -> Ints | None:
        """The placement if all who are present have a place in it."""
        return None if self.failed else self.placement


class Groups:
    """The places by their domains at a scope and all wider ones.

    ``of[place]`` is the group; ``up[group]`` the wider one around it, as of
    the next wider scope; ``domain[group]`` its domain at the scope.
    """

    def __init__(self, frame: framing.Frame, scope: int) -> None:
        compiled = frame.compiled
        rows = np.stack(
            [
                column if number in frame.seen else np.zeros_like(column)
                for number, column in enumerate(compiled.domain)
                if number >= scope
            ],
            axis=1,
        )
        _, first, of = np.unique(
            rows, axis=0, return_index=True, return_inverse=True
        )
        self.of: Ints = of.reshape(-1)
        self.sample: Ints = first
        self.domain: Ints = compiled.domain[scope][first]
        self.up: Ints = np.zeros(len(first), np.int64)


class Casting:
    """All that stays the same while counts of a problem are tried.

    ``present``: the members that are dealt out, all with places at first.
    """

    def __init__(
        self, frame: framing.Frame, contracted: contract.Contracted
    ) -> None:
        self.frame = frame
        self.kinds = kinds = frame.likeness
        self.present: Flags = kinds.present
        self.compiled = frame.compiled
        self.contracted = contracted
        self.groups: dict[int, Groups] = {}
        for scope in reversed(kinds.scopes[1:]):
            groups = Groups(frame, scope)
            if scope + 1 in self.groups:
                wider = self.groups[scope + 1]
                groups.up = wider.of[groups.sample]
            self.groups[scope] = groups
        self.clauses: dict[int, list[numbers.Clause]] = {}
        for clause in (*self.compiled.hard, *contracted.loose):
            if id(clause) not in kinds.settled and (
                clause.kind is not constraints.Together
            ):
                self.clauses.setdefault(clause.scope, []).append(clause)
        for clause in contracted.loose:
            self.clauses.setdefault(clause.scope, []).append(clause)

    def without_strays(self) -> Casting:
        """Return the same for all but volumes that nothing ties to a domain.

        They have no place then.
        """
        top = self.kinds.scopes[-1]
        bundle_of = self.contracted.bundle_of[top]
        kind_at = self.kinds.kind_at[top]
        found = copy.copy(self)
        found.present = self.present.copy()
        for member in np.flatnonzero(self.present).tolist():
            kind = kind_at[int(bundle_of[member])]
            found.present[member] = not self.kinds.kinds[kind].pooled
        return found

    def cast(
        self,
        counts: tally.Tally,
        values: Ints,
        deadline: float,
        seed: int,
    ) -> Cast:
        """Find members for the counts of a solution."""
        dealt: Ints | None = None
        for scope in reversed(self.kinds.scopes[1:]):
            dealt = _Deal(self, scope, counts, values, dealt).dealt(
                deadline, seed
            )
            if dealt is None:
                break
        if dealt is None and len(self.kinds.scopes) > 2:
            dealt = _JointDeal(self, 1, counts, values, None).dealt(
                deadline, seed
            )
        if dealt is None and len(self.kinds.scopes) > 1:
            return Cast()
        given = tally.by_host(counts, values)
        return _Blocks(self, dealt, given).placed(deadline, seed)

    def reach(self, counts: tally.Tally, values: Ints) -> dict[int, list[int]]:
        """Return, by member, the places where its like was counted."""
        given = tally.by_host(counts, values)
        found: dict[int, list[int]] = {}
        for kind in self.kinds.kinds:
            if kind.scope:
                continue
            here = self._counted_places(counts, values, kind.number)
            here |= set(given.get(kind.number, ()))
            for unit in kind.units:
                for member in unit:
                    shape = self.compiled.shapes[
                        int(self.compiled.shape_of[member])
                    ]
                    found[member] = self._at(shape, here)
        return found

    def _counted_places(
        self, counts: tally.Tally, values: Ints, kind: int
    ) -> set[int]:
        count = counts.cells(kind)
        here: set[int] = set()
        for cell in count.domains[values[count.variables] > 0].tolist():
            if not counts.is_mixed(cell):
                here.update(counts.places_of(cell))
        return here

    def _at(self, shape: numbers.Shape, here: set[int]) -> list[int]:
        """Return the shape's places among these, or in pools of these."""
        hosts = self.compiled.domain[0]
        return [
            place
            for place in shape.places.tolist()
            if place in here
            or (not shape.is_server and int(hosts[place]) in here)
        ]


class _Deal:
    """The bundles at one scope, dealt out to groups of places."""

    def __init__(
        self,
        casting: Casting,
        scope: int,
        counts: tally.Tally,
        values: Ints,
        wider: Ints | None,
    ) -> None:
        self._casting = casting
        self._kinds = casting.kinds
        self._scope = scope
        self._groups = casting.groups[scope]
        self._bundles = casting.contracted.bundles[scope]
        self._bundle_of = casting.contracted.bundle_of[scope]
        self._wider = wider
        self._supply = self._supplied(counts, values)

    def _supplied(
        self, counts: tally.Tally, values: Ints
    ) -> dict[tuple[int, int], dict[int, int]]:
        """Return (kind, wider group) -> group -> how many."""
        compiled, groups = self._casting.compiled, self._groups
        supply: dict[tuple[int, int], dict[int, int]] = {}
        for number in sorted(set(self._kinds.kind_at[self._scope].values())):
            kind = self._kinds.kinds[number]
            if kind.scope:
                count = counts.at(number, kind.scope)
                column = compiled.domain[kind.scope]
                samples = np.full(compiled.n_domains[kind.scope], -1)
                known = np.flatnonzero(column != UNKNOWN)
                samples[column[known]] = known
                samples = samples[count.domains]
            else:
                count = counts.cells(number)
                samples = counts.sample[count.domains]
            found = values[count.variables]
            for place, many in zip(
                samples[found > 0].tolist(),
                found[found > 0].tolist(),
                strict=True,
            ):
                group = int(groups.of[place])
                up = 0 if self._wider is None else int(groups.up[group])
                here = supply.setdefault((number, up), {})
                here[group] = here.get(group, 0) + many
        return supply

    def dealt(self, deadline: float, seed: int) -> Ints | None:
        """Return the group of each bundle, UNKNOWN for none; None: failed."""
        waiting: dict[tuple[int, int], list[int]] = {}
        for bundle, kind in self._kinds.kind_at[self._scope].items():
            member = self._bundles[bundle][0]
            if not self._casting.present[member]:
                continue
            up = 0
            if self._wider is not None:
                outer = self._casting.contracted.bundle_of[self._scope + 1]
                up = int(self._wider[outer[member]])
            waiting.setdefault((kind, up), []).append(bundle)
        for key, bundles in waiting.items():
            supply = self._supply.get(key, {})
            if sum(supply.values()) != len(bundles):
                return None
        touched = self._touched()
        dealt = np.full(len(self._bundles), UNKNOWN, np.int64)
        if touched and not self._choose(
            waiting, touched, dealt, deadline, seed
        ):
            return None
        for key, bundles in waiting.items():
            left = dict(self._supply[key])
            for bundle in bundles:
                if dealt[bundle] != UNKNOWN:
                    left[int(dealt[bundle])] -= 1
            slots = [g for g, many in left.items() for _ in range(many)]
            rest = [b for b in bundles if dealt[b] == UNKNOWN]
            for bundle, group in zip(rest, slots, strict=True):
                dealt[bundle] = group
        return dealt

    def _clauses(self) -> list[numbers.Clause]:
        return self._casting.clauses.get(self._scope, [])

    def _touched(self) -> set[int]:
        present = self._casting.present
        return {
            int(self._bundle_of[m])
            for clause in self._clauses()
            for m in clause.members
            if present[m]
        }

    def _choose(
        self,
        waiting: dict[tuple[int, int], list[int]],
        touched: set[int],
        dealt: Ints,
        deadline: float,
        seed: int,
    ) -> bool:
        """Deal those out that rules tell apart; plain ones come after."""
        program = linear.Program()
        self._takes: dict[int, dict[int, int]] = {}
        for key, bundles in waiting.items():
            supply = self._supply[key]
            chosen = [b for b in bundles if b in touched]
            if not chosen:
                continue
            groups = list(supply)
            columns: dict[int, list[int]] = {group: [] for group in groups}
            for bundle in chosen:
                first = program.variables([1] * len(groups))
                row = list(range(first, first + len(groups)))
                program.total(row, 1, 1)
                self._takes[bundle] = dict(zip(groups, row, strict=True))
                for group, number in zip(groups, row, strict=True):
                    columns[group].append(number)
            for group, column in columns.items():
                if len(column) > supply[group]:
                    program.total(column, high=supply[group])
        if program.n_variables > WIDEST:
            return False
        for clause in self._clauses():
            self._obey(program, clause)
        self._tie(program)
        found = program.solve(deadline, seed)
        if found.values is None:
            return False
        for bundle, takes in self._takes.items():
            for group, number in takes.items():
                if found.values[number]:
                    dealt[bundle] = group
        return True

    def _tie(self, program: linear.Program) -> None:
        """Keep wider bundles together: nothing to do, scope by scope."""

    def _domains(self, scope: int) -> Ints:
        """Return the domain of each group at its own scope or a wider one."""
        return self._casting.compiled.domain[scope][self._groups.sample]

    def _everyone(self, scope: int) -> dict[int, int]:
        """Return domain -> how many bundles it will have."""
        domains = self._domains(scope)
        found: dict[int, int] = {}
        for supply in self._supply.values():
            for group, many in supply.items():
                domain = int(domains[group])
                found[domain] = found.get(domain, 0) + many
        return found

    def _by_domain(
        self, bundles: Iterable[int], scope: int
    ) -> dict[int, list[int]]:
        """Return domain -> the variables of bundles that would be there."""
        domains = self._domains(scope)
        found: dict[int, list[int]] = {}
        for bundle in bundles:
            for group, number in self._takes[bundle].items():
                domain = int(domains[group])
                if domain != UNKNOWN:
                    found.setdefault(domain, []).append(number)
        return found

    def _bundles_of(self, members: Iterable[int]) -> list[int]:
        present = self._casting.present
        return sorted({int(self._bundle_of[m]) for m in members if present[m]})

    def _obey(
        self,
        program: linear.Program,
        clause: numbers.Clause,
    ) -> None:
        scope = clause.scope
        bundles = self._bundles_of(clause.members)
        if clause.kind is constraints.AtMost:
            units = [self._bundles_of(unit) for unit in clause.units]
            _keep_apart(
                program,
                clause.limit,
                [
                    (self._by_domain(unit, scope), len(unit) == 1)
                    for unit in units
                ],
            )
        elif clause.kind is constraints.Together:
            _gather(program, self._by_domain(bundles, scope))
        elif clause.kind is constraints.AtLeast:
            used = []
            for here in self._by_domain(bundles, scope).values():
                flag = program.variables([1])
                used.append(flag)
                program.row([*here, flag], [1] * len(here) + [-1], 0)
            program.total(used, clause.limit)
        elif clause.kind is constraints.Level and clause.domains:
            self._keep_level(program, clause)
        elif clause.kind is constraints.Lost:
            self._keep_lost(program, clause)
        elif clause.kind is constraints.Alone:
            busy = self._casting.compiled.busy[scope]
            everyone = self._everyone(scope)
            for domain, here in self._by_domain(bundles, scope).items():
                flag = program.variables([0 if busy[domain] else 1])
                program.row(
                    [*here, flag], [1] * len(here) + [-len(here)], high=0
                )
                program.row(
                    [*here, flag], [1] * len(here) + [-everyone[domain]], 0
                )

    def _keep_level(
        self, program: linear.Program, clause: numbers.Clause
    ) -> None:
        weights = self._weights(clause)
        least = program.variables([len(clause.members)])
        terms: dict[int, tuple[list[int], list[int]]] = {
            d: ([least], [-1]) for d in clause.domains
        }
        for bundle, weight in weights.items():
            here_by = self._by_domain([bundle], clause.scope)
            for domain, here in here_by.items():
                if domain in terms:
                    terms[domain][0].extend(here)
                    terms[domain][1].extend([weight] * len(here))
        for variables, factors in terms.values():
            program.row(variables, factors, 0, clause.limit)

    def _keep_lost(
        self, program: linear.Program, clause: numbers.Clause
    ) -> None:
        """As ``tally`` has it: a level, and what is beyond it."""
        members, lost = len(clause.members), clause.lost
        level = program.variables([max(clause.limit, 0) // lost])
        terms: dict[int, tuple[list[int], list[int]]] = {}
        for bundle, weight in self._weights(clause).items():
            here_by = self._by_domain([bundle], clause.scope)
            for domain, here in here_by.items():
                row = terms.setdefault(domain, ([level], [-1]))
                row[0].extend(here)
                row[1].extend([weight] * len(here))
        beyond = []
        for variables, factors in terms.values():
            more = program.variables([members])
            beyond.append(more)
            program.row([*variables, more], [*factors, -1], high=0)
        program.row(
            [level, *beyond], [lost, *(1 for _ in beyond)], high=clause.limit
        )

    def _weights(self, clause: numbers.Clause) -> dict[int, int]:
        """Return bundle -> how many of the clause's members it has."""
        weights: dict[int, int] = {}
        for member in clause.members:
            if self._casting.present[member]:
                bundle = int(self._bundle_of[member])
                weights[bundle] = weights.get(bundle, 0) + 1
        return weights


class _JointDeal(_Deal):
    """All bundles of the narrowest scope at once, by all rules above hosts.

    For where dealing scope by scope came to a dead end.
    """

    def _clauses(self) -> list[numbers.Clause]:
        return [
            clause
            for scope, clauses in sorted(self._casting.clauses.items())
            if scope
            for clause in clauses
        ]

    def _made_up(self) -> list[tuple[int, list[int]]]:
        """Return the wider bundles of several: scope, and their parts."""
        found = []
        for scope in self._kinds.scopes[2:]:
            for members in self._casting.contracted.bundles[scope]:
                parts = self._bundles_of(members)
                if len(parts) > 1:
                    found.append((scope, parts))
        return found

    def _touched(self) -> set[int]:
        touched = super()._touched()
        for _, parts in self._made_up():
            touched.update(parts)
        return touched

    def _tie(self, program: linear.Program) -> None:
        for scope, parts in self._made_up():
            for one, other in itertools.pairwise(parts):
                here = self._by_domain([one], scope)
                there = self._by_domain([other], scope)
                for domain in sorted(here.keys() | there.keys()):
                    mine = here.get(domain, [])
                    its = there.get(domain, [])
                    program.row(
                        [*mine, *its],
                        [1] * len(mine) + [-1] * len(its),
                        0,
                        0,
                    )


def _keep_apart(
    program: linear.Program,
    limit: int,
    units: Sequence[tuple[dict[int, list[int]], bool]],
) -> None:
    """Have at most so many units in a domain.

    Each as its variables there, and whether but one of them can be 1.
    """
    present: dict[int, list[int]] = {}
    for unit, is_one in units:
        for domain, here in unit.items():
            if len(here) > 1 and not is_one:
                flag = program.variables([1])
                for number in here:
                    program.row([number, flag], [1, -1], high=0)
                here = [flag]
            present.setdefault(domain, []).extend(here)
    for flags in present.values():
        if len(flags) > limit:
            together = sorted(set(flags))
            program.row(
                together, [flags.count(f) for f in together], high=limit
            )


def _gather(program: linear.Program, by_domain: dict[int, list[int]]) -> None:
    """Have all of those that have a domain in one of them."""
    first = program.variables([1] * len(by_domain))
    for flag, here in enumerate(by_domain.values(), first):
        program.row([*here, flag], [1] * len(here) + [-len(here)], high=0)
    program.total(range(first, first + len(by_domain)), high=1)


class _Blocks:
    """Blocks of hosts and pools, each with the atoms that it is to take."""

    def __init__(
        self,
        casting: Casting,
        dealt: Ints | None,
        given: dict[int, dict[int, int]],
    ) -> None:
        self._casting = casting
        self._compiled = compiled = casting.compiled
        self._given = given
        self._clauses = casting.clauses.get(0, [])
        self._roles: dict[int, list[tuple[int, int]]] = {}
        bundle_of = casting.contracted.bundle_of
        for number, clause in enumerate(self._clauses):
            for unit_number, unit in enumerate(clause.units):
                for member in unit:
                    atom = int(bundle_of[0][member])
                    self._roles.setdefault(atom, []).append(
                        (number, unit_number if len(unit) > 1 else UNKNOWN)
                    )
        self._atoms: dict[int, list[int]] = {}
        members = casting.contracted.bundles[0]
        for atom in casting.kinds.kind_at[0]:
            if not casting.present[members[atom][0]]:
                continue
            block = 0
            if dealt is not None:
                block = int(dealt[bundle_of[1][members[atom][0]]])
            self._atoms.setdefault(block, []).append(atom)
        if dealt is None:
            self._places = {0: np.arange(compiled.n_places)}
            return
        of = casting.frame.block_of
        order = np.argsort(of, kind='stable')
        ends = np.searchsorted(
            of[order], np.arange(casting.frame.n_blocks + 1)
        )
        self._places = {
            block: order[ends[block] : ends[block + 1]]
            for block in self._atoms
        }

    def placed(self, deadline: float, seed: int) -> Cast:
        placement = np.full(len(self._compiled.members), UNKNOWN, np.int64)
        if self._fill_all(placement, deadline, seed):
            return Cast(placement)
        members = self._casting.contracted.bundles[0]
        failed = {
            block: [m for atom in atoms for m in members[atom]]
            for block, atoms in sorted(self._atoms.items())
            if not self._fill(block, placement, deadline, seed)
        }
        return Cast(placement, failed)

    def _fill_all(self, placement: Ints, deadline: float, seed: int) -> bool:
        """Fill all blocks at once, each as counted, if each was.

        They have nothing in common, but one program takes less than many.
        """
        program = linear.Program()
        blocks = [self._block(block, program) for block in sorted(self._atoms)]
        if not all(block.is_counted and block.lay_out() for block in blocks):
            return False
        found = program.solve(deadline, seed)
        if found.values is None:
            return False
        for block in blocks:
            block.write(found.values, placement)
        return True

    def _block(
        self, block: int, program: linear.Program, *, counted: bool = True
    ) -> _Block:
        atoms, places = self._atoms[block], self._places[block]
        given = self._given_to(atoms, places) if counted else None
        return _Block(
            self._casting,
            self._clauses,
            self._roles,
            places,
            atoms,
            program,
            given,
        )

    def _fill(
        self, block: int, placement: Ints, deadline: float, seed: int
    ) -> bool:
        """Fill a block as counted host by host, if it was; else anyhow."""
        counted = self._block(block, linear.Program())
        if counted.is_counted and counted.fill(placement, deadline, seed):
            return True
        if len(self._atoms[block]) * len(self._places[block]) > LARGEST:
            return False
        anyhow = self._block(block, linear.Program(), counted=False)
        return anyhow.fill(placement, deadline, seed)

    def _given_to(
        self, atoms: list[int], places: Ints
    ) -> dict[int, dict[int, int]] | None:
        kinds = self._casting.kinds
        here = set(places.tolist())
        numbers_of = sorted({kinds.kind_at[0][atom] for atom in atoms})
        given = {
            kind: {
                place: many
                for place, many in self._given.get(kind, {}).items()
                if place in here
            }
            for kind in numbers_of
        }
        total = sum(sum(table.values()) for table in given.values())
        return given if total == len(atoms) else None


class _Block:
    """The atoms of one block, counted on its hosts and pools."""

    def __init__(
        self,
        casting: Casting,
        clauses: list[numbers.Clause],
        roles: dict[int, list[tuple[int, int]]],
        places: Ints,
        atoms: list[int],
        program: linear.Program,
        given: dict[int, dict[int, int]] | None = None,
    ) -> None:
        """``given``: kind -> place -> how many, as counted."""
        self._fits = casting.frame.fits
        self._given = given
        self._kinds = casting.kinds
        self._compiled = casting.compiled
        self._members = casting.contracted.bundles[0]
        self._clauses = clauses
        self._places = places
        alike: dict[object, list[int]] = {}
        for atom in atoms:
            kind = casting.kinds.kind_at[0][atom]
            key = kind, tuple(sorted(roles.get(atom, ())))
            alike.setdefault(key, []).append(atom)
        self._alike = list(alike.values())
        self._kind = [key[0] for key in alike]  # type: ignore[index]
        self._role = [key[1] for key in alike]  # type: ignore[index]
        self._program = program

    @property
    def is_counted(self) -> bool:
        """Whether it is said how many of each kind there are on each place."""
        return self._given is not None

    def fill(self, placement: Ints, deadline: float, seed: int) -> bool:
        if not self.lay_out():
            return False
        found = self._program.solve(deadline, seed)
        if found.values is None:
            return False
        self.write(found.values, placement)
        return True

    def lay_out(self) -> bool:
        """Write the block into the program; False: there is no way."""
        program = self._program
        self._takes: list[dict[int, int]] = []
        self._volumes: dict[tuple[int, int], dict[int, int]] = {}
        if self._given is not None and self._is_plain():
            return True
        for kind, atoms in zip(self._kind, self._alike, strict=True):
            open_to = self._open_to(kind)
            if not open_to:
                return False
            first = program.variables([len(atoms)] * len(open_to))
            row = list(range(first, first + len(open_to)))
            program.total(row, len(atoms), len(atoms))
            self._takes.append(dict(zip(open_to, row, strict=True)))
        if self._given is not None:
            self._keep_to(self._given)
        self._fill_hosts()
        self._fill_pools()
        self._count_settled()
        self._obey()
        return True

    def _open_to(self, kind: int) -> list[int]:
        if self._given is not None:
            return sorted(self._given[kind])
        fits = self._fits[kind][self._places]
        found: list[int] = self._places[fits > 0].tolist()
        return found

    def _is_plain(self) -> bool:
        """Tell whether no rule and no volume tells atoms of a kind apart."""
        shapes = self._compiled.shapes
        return not any(self._role) and not any(
            not shapes[number].is_server
            for kind in map(self._kinds.kinds.__getitem__, self._kind)
            if not kind.pooled
            for number, _ in kind.shapes
        )

    def _follow(self, placement: Ints) -> None:
        """Place atoms just as counted."""
        for kind, atoms in zip(self._kind, self._alike, strict=True):
            slots = [
                place
                for place, many in self._given[kind].items()  # type: ignore[index]
                for _ in range(many)
            ]
            for atom, place in zip(atoms, slots, strict=True):
                placement[list(self._members[atom])] = place

    def _keep_to(self, given: dict[int, dict[int, int]]) -> None:
        """Have as many of each kind on each place as counted."""
        rows: dict[tuple[int, int], list[int]] = {}
        for kind, takes in zip(self._kind, self._takes, strict=True):
            for place, number in takes.items():
                rows.setdefault((kind, place), []).append(number)
        for (kind, place), row in rows.items():
            many = given[kind][place]
            self._program.total(row, many, many)

    def _fill_hosts(self) -> None:
        rooms = self._kinds.free
        for resource, room in enumerate(rooms):
            rows: dict[int, tuple[list[int], list[int]]] = {}
            for kind, takes in zip(self._kind, self._takes, strict=True):
                size = self._kinds.kinds[kind].size[resource]
                if size and not self._kinds.kinds[kind].pooled:
                    for host, number in takes.items():
                        row = rows.setdefault(host, ([], []))
                        row[0].append(number)
                        row[1].append(size)
            for host, (variables, factors) in rows.items():
                self._program.row(variables, factors, high=int(room[host]))

    def _fill_pools(self) -> None:
        compiled, program = self._compiled, self._program
        rows: dict[int, tuple[list[int], list[int]]] = {}

        def add(pool: int, number: int, size: int) -> None:
            row = rows.setdefault(pool, ([], []))
            row[0].append(number)
            row[1].append(size)

        for group, kind in enumerate(self._kind):
            takes = self._takes[group]
            for shape_number, times in self._kinds.kinds[kind].shapes:
                shape = compiled.shapes[shape_number]
                if shape.is_server:
                    continue
                size = shape.size[0]
                if self._kinds.kinds[kind].pooled:
                    for pool, number in takes.items():
                        add(pool, number, size)
                    continue
                by_host: dict[int, list[int]] = {h: [] for h in takes}
                numbers_of: dict[int, int] = {}
                for pool in shape.places.tolist():
                    host = int(compiled.domain[0][pool])
                    if host in by_host:
                        most = times * len(self._alike[group])
                        number = program.variables([most])
                        by_host[host].append(number)
                        numbers_of[pool] = number
                        add(pool, number, size)
                for host, here in by_host.items():
                    program.row(
                        [*here, takes[host]],
                        [1] * len(here) + [-times],
                        0,
                        0,
                    )
                self._volumes[group, shape_number] = numbers_of
        for pool, (variables, factors) in rows.items():
            free = int(compiled.pool_free[pool - compiled.n_hosts])
            program.row(variables, factors, high=min(free, capacity.POOLFUL))

    def _count_settled(self) -> None:
        """Keep to the wide rules at host scope, which counts see to."""
        for counted in self._kinds.counted:
            clause = counted.clause
            if clause.scope or clause.kind is not constraints.AtMost:
                continue
            rows: dict[int, tuple[list[int], list[int]]] = {}
            for kind, takes in zip(self._kind, self._takes, strict=True):
                weight = counted.weights.get(kind, 0)
                if weight:
                    for domain, here in self._by_host(takes).items():
                        row = rows.setdefault(domain, ([], []))
                        row[0].extend(here)
                        row[1].extend([weight] * len(here))
            for variables, factors in rows.values():
                self._program.row(variables, factors, high=counted.limit)

    def _by_host(self, takes: dict[int, int]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for place, number in takes.items():
            host = int(self._compiled.domain[0][place])
            if host != UNKNOWN:
                found.setdefault(host, []).append(number)
        return found

    def _obey(self) -> None:
        """Obey the rules at host scope that tell single atoms apart."""
        units: dict[int, dict[object, list[int]]] = {}
        for group, roles in enumerate(self._role):
            for clause, unit in roles:
                # Units of one member may be counted: any two are alike.
                key = ('one', group) if unit == UNKNOWN else ('many', unit)
                units.setdefault(clause, {}).setdefault(key, []).append(group)
        for number, by_unit in units.items():
            clause = self._clauses[number]
            groups = sorted({g for here in by_unit.values() for g in here})
            if clause.kind is constraints.AtMost:
                self._keep_apart(clause, by_unit)
            elif clause.kind is constraints.Together:
                self._gather(groups)
            elif clause.kind is constraints.Alone:
                self._seclude(groups)

    def _keep_apart(
        self, clause: numbers.Clause, by_unit: dict[object, list[int]]
    ) -> None:
        rows: dict[int, list[int]] = {}
        for key, groups in by_unit.items():
            is_one = isinstance(key, tuple) and key[0] == 'one'
            here: dict[int, list[int]] = {}
            for group in sorted(set(groups)):
                for host, found in self._by_host(self._takes[group]).items():
                    here.setdefault(host, []).extend(found)
            for host, found in here.items():
                if is_one:
                    rows.setdefault(host, []).extend(found)
                    continue
                flag = self._program.variables([1])
                most = sum(len(self._alike[g]) for g in set(groups))
                self._program.row(
                    [*found, flag], [1] * len(found) + [-most], high=0
                )
                rows.setdefault(host, []).append(flag)
        for variables in rows.values():
            self._program.total(variables, high=clause.limit)

    def _gather(self, groups: list[int]) -> None:
        by_host: dict[int, list[int]] = {}
        most = sum(len(self._alike[g]) for g in groups)
        for group in groups:
            for host, here in self._by_host(self._takes[group]).items():
                by_host.setdefault(host, []).extend(here)
        flags = []
        for here in by_host.values():
            flag = self._program.variables([1])
            flags.append(flag)
            self._program.row([*here, flag], [1] * len(here) + [-most], high=0)
        if flags:
            self._program.total(flags, high=1)

    def _seclude(self, groups: list[int]) -> None:
        mine: dict[int, list[int]] = {}
        others: dict[int, list[int]] = {}
        total = sum(map(len, self._alike))
        for group, takes in enumerate(self._takes):
            table = mine if group in groups else others
            for host, here in self._by_host(takes).items():
                table.setdefault(host, []).extend(here)
        busy = self._compiled.busy[0]
        for host, here in mine.items():
            if busy[host]:
                self._program.total(here, high=0)
                continue
            flag = self._program.variables([1])
            rest = others.get(host, [])
            self._program.row(
                [*here, flag], [1] * len(here) + [-total], high=0
            )
            self._program.row(
                [*rest, flag], [1] * len(rest) + [total], high=total
            )

    def write(self, values: Ints, placement: Ints) -> None:
        """Give each atom its place, and the volumes on hosts their pools."""
        if not self._takes:
            self._follow(placement)
            return
        compiled = self._compiled
        for group, (atoms, takes) in enumerate(
            zip(self._alike, self._takes, strict=True)
        ):
            slots = [
                place
                for place, number in takes.items()
                for _ in range(int(values[number]))
            ]
            pools: dict[tuple[int, int], list[int]] = {}
            for (owner, shape), numbers_of in self._volumes.items():
                if owner == group:
                    for pool, number in numbers_of.items():
                        host = int(compiled.domain[0][pool])
                        pools.setdefault((shape, host), []).extend(
                            [pool] * int(values[number])
                        )
            for atom, place in zip(atoms, slots, strict=True):
                for member in self._members[atom]:
                    shape = int(compiled.shape_of[member])
                    if compiled.is_server[member] or (shape, place) not in (
                        pools
                    ):
                        placement[member] = place
                    else:
                        placement[member] = pools[shape, place].pop()
