# SPDX-License-Identifier: Apache-2.0
"""What is true of tiny placement problems: by trying everything.

Written from the meaning of the rules alone; shares no code with the search,
the policies or the checker. The makers of random tiny problems are here too.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster.placement import model

Domains = tuple[str | None, ...]  # by scope, from the host to the widest


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The best there is."""

    soft_cost: int
    objective: int
    placement: Mapping[str, str]


def best(problem: model.Problem) -> Found | None:
    """Return the best placement; None: none obeys the hard rules."""
    return _Search(problem, None).run()


def is_feasible(problem: model.Problem, kept: Collection[str]) -> bool:
    """Tell whether those rules alone can be obeyed.

    A member whose ``fit:`` is not kept has no size and no needs.
    """
    return _Search(problem, frozenset(kept)).run() is not None


def rule_names(problem: model.Problem) -> tuple[str, ...]:
    """Return the names of all rules that can be in a conflict."""
    fits = [
        f'fit:{d.member}'
        for d in problem.demands
        if d.member not in problem.pinned
        and (isinstance(d, model.ServerDemand) or problem.snapshot.pools)
    ]
    limits = [f'limit:{budget.name}' for budget in problem.budgets]
    hard = [rule.name for rule in problem.rules if _is_hard(rule)]
    return (*fits, *limits, *hard)


def _is_hard(rule: model.Rule) -> bool:
    if rule.policy == 'proximity':
        return rule.options.get('at_least') is not None
    return rule.weight is None


class _Search:
    """A depth-first search over all placements.

    Cut only where room runs out, or by amounts that can but grow while
    members are added: all but those of max_skew and min_domains.
    """

    def __init__(
        self, problem: model.Problem, kept: frozenset[str] | None
    ) -> None:
        self.problem, self.kept = problem, kept
        snapshot = problem.snapshot
        self.scopes = ('host', *reversed(snapshot.levels))
        self.hosts = {host.name: host for host in snapshot.hosts}
        self.pools = {pool.name: pool for pool in snapshot.pools}
        places = [*snapshot.hosts, *snapshot.pools]
        self.domains: dict[str, Domains] = {
            place.name: tuple(place.domain(s) for s in self.scopes)
            for place in places
        }
        self.busy = {
            (scope, self.domains[host.name][number])
            for number, scope in enumerate(self.scopes)
            for host in snapshot.hosts
            if host.is_busy
        }
        self.demands = {
            d.member: d
            for d in problem.demands
            if isinstance(d, model.ServerDemand) or self.pools
        }
        self.hard = [
            r for r in problem.rules if _is_hard(r) and self.keeps(r.name)
        ]
        self.soft = [
            r for r in problem.rules if r.weight and self.kept is None
        ]
        self.skew_domains = {
            rule.name: self._skew_domains(rule)
            for rule in (*self.hard, *self.soft)
            if rule.options.get('max_skew') is not None
        }
        self.free = {
            (name, resource): amount
            for name, host in self.hosts.items()
            for resource, amount in host.free.items()
        }
        self.gb = {name: pool.free_gb for name, pool in self.pools.items()}
        self.budgets = {
            (number, domain, resource): amount
            for number, budget in enumerate(problem.budgets)
            if self.keeps(f'limit:{budget.name}')
            for domain, room in budget.room.items()
            for resource, amount in room.items()
        }
        self.at: dict[str, str] = {}
        self.found: Found | None = None

    def keeps(self, name: str) -> bool:
        return self.kept is None or name in self.kept

    # -- the search --------------------------------------------------------

    def run(self) -> Found | None:
        self.at = dict(self.problem.pinned)
        options = {
            member: self._options(demand)
            for member, demand in self.demands.items()
            if member not in self.problem.pinned
        }
        order = sorted(options, key=lambda member: len(options[member]))
        self._go(order, options)
        return self.found

    def _go(
        self, order: Sequence[str], options: Mapping[str, Sequence[str]]
    ) -> None:
        if not self._is_promising():
            return
        if not order:
            self._finish()
            return
        member, rest = order[0], order[1:]
        sized = self.keeps(f'fit:{member}')
        for place in options[member]:
            if sized and not self._take(member, place):
                continue
            self.at[member] = place
            self._go(rest, options)
            del self.at[member]
            if sized:
                self._give_back(member, place)
            if self.found is not None and self.kept is not None:
                return

    def _is_promising(self) -> bool:
        if any(self._grown(rule, hard=True) for rule in self.hard):
            return False
        if self.found is None:
            return True
        cost = sum((r.weight or 0) * self._grown(r) for r in self.soft)
        known = self.found.soft_cost, self.found.objective
        return (cost, self._objective()) < known

    def _finish(self) -> None:
        if any(self._late(rule) for rule in self.hard):
            return
        cost = sum(
            (r.weight or 0) * (self._grown(r) + self._late(r))
            for r in self.soft
        )
        value = self._objective()
        known = self.found
        if known is None or (cost, value) < (known.soft_cost, known.objective):
            self.found = Found(cost, value, dict(self.at))

    # -- room --------------------------------------------------------------

    def _needs(self, member: str, place: str) -> Iterator[tuple[Any, int]]:
        """Give the keys of what the member takes there, with amounts."""
        demand = self.demands[member]
        if isinstance(demand, model.VolumeDemand):
            return
        for resource, amount in demand.resources.items():
            if amount:
                yield (place, resource), amount
        for number, budget in enumerate(self.problem.budgets):
            domain = self._domain(place, budget.scope)
            for resource, amount in demand.resources.items():
                if amount and (number, domain, resource) in self.budgets:
                    yield (number, domain, resource), amount

    def _take(self, member: str, place: str) -> bool:
        """Take room, or none at all if there is not enough."""
        demand = self.demands[member]
        if isinstance(demand, model.VolumeDemand):
            gb = self.gb[place]
            if gb is not None and demand.size_gb:
                if demand.size_gb > gb:
                    return False
                self.gb[place] = gb - demand.size_gb
            return True
        needs = list(self._needs(member, place))
        if any(amount > self._left(key) for key, amount in needs):
            return False
        for key, amount in needs:
            self._add(key, -amount)
        return True

    def _give_back(self, member: str, place: str) -> None:
        demand = self.demands[member]
        if isinstance(demand, model.VolumeDemand):
            gb = self.gb[place]
            if gb is not None:
                self.gb[place] = gb + demand.size_gb
            return
        for key, amount in self._needs(member, place):
            self._add(key, amount)

    def _left(self, key: Any) -> int:
        return self.free.get(key, 0) if len(key) == 2 else self.budgets[key]

    def _add(self, key: Any, amount: int) -> None:
        if len(key) == 2:
            self.free[key] = self.free.get(key, 0) + amount
        else:
            self.budgets[key] += amount

    # -- where a member may be -----------------------------------------------

    def _options(self, demand: model.Demand) -> list[str]:
        places: Collection[str] = (
            self.hosts
            if isinstance(demand, model.ServerDemand)
            else self.pools
        )
        sized = self.keeps(f'fit:{demand.member}')
        return [
            place
            for place in places
            if (not sized or self._suits(demand, place))
            and self._is_known(demand, place)
        ]

    def _suits(self, demand: model.Demand, place: str) -> bool:
        if demand.candidates is not None and place not in demand.candidates:
            return False
        if demand.within is not None:
            scope, domain = demand.within
            if self._domain(place, scope) != domain:
                return False
        if isinstance(demand, model.VolumeDemand):
            types = self.pools[place].types
            return demand.type is None or types is None or demand.type in types
        return self._bears(demand, self.hosts[place])

    @staticmethod
    def _bears(demand: model.ServerDemand, host: model.Host) -> bool:
        return all(t in host.traits for t in demand.require) and not any(
            t in host.traits for t in demand.forbid
        )

    def _is_known(self, demand: model.Demand, place: str) -> bool:
        """Tell whether all rules on a server know where it would be."""
        if isinstance(demand, model.VolumeDemand):
            return True
        return all(
            self._domain(place, scope) is not None
            for rule in self.problem.rules
            if demand.member in rule.members
            for scope in self._asked(rule, demand.member)
        )

    def _asked(self, rule: model.Rule, member: str) -> Sequence[str]:
        """Return the scopes at which the rule has to know the member.

        A soft rule has to as well; that is part of what the member needs.
        """
        is_in_force = (
            self.keeps(rule.name)
            if _is_hard(rule)
            else self.keeps(f'fit:{member}')
        )
        floor = rule.options.get('at_least')
        if rule.policy == 'proximity':
            if rule.weight and self.keeps(f'fit:{member}'):
                return self.scopes
            if floor is None or not is_in_force:
                return ()
            return self.scopes[self.scopes.index(floor) :]
        return (rule.scope,) if is_in_force and rule.weight != 0 else ()

    # -- what rules come to --------------------------------------------------

    def _domain(self, place: str, scope: str) -> str | None:
        known = self.domains.get(place)
        return None if known is None else known[self.scopes.index(scope)]

    def _where(self, members: Collection[str], scope: str) -> list[str]:
        """Return the domains of those placed that have one, one for each."""
        number = self.scopes.index(scope)
        found = []
        for member in members:
            place = self.at.get(member)
            if place in self.domains:
                domain = self.domains[place][number]
                if domain is not None:
                    found.append(domain)
        return found

    def _grown(self, rule: model.Rule, hard: bool = False) -> int:
        """Return what the rule is broken by so far, without ``_late``."""
        members = rule.members
        if rule.policy == 'proximity':
            distance = self._distance(members)
            if not hard:
                return distance
            floor = self.scopes.index(rule.options['at_least'])
            return max(0, distance - floor)
        where = self._where(members, rule.scope)
        if rule.policy == 'affinity':
            return max(0, len(set(where)) - 1)
        if rule.policy == 'anti-affinity':
            present = collections.Counter(
                domain
                for unit in rule.units
                for domain in set(self._where(unit, rule.scope))
            )
            return sum(units - 1 for units in present.values())
        if rule.policy == 'exclusive':
            rest = [member for member in self.at if member not in members]
            others = set(self._where(rest, rule.scope))
            return sum(
                domain in others or (rule.scope, domain) in self.busy
                for domain in set(where)
            )
        if rule.policy == 'survive':
            return self._short(rule, where)
        most = rule.options.get('max_per_domain')
        if most is None:
            return 0
        counts = collections.Counter(where).values()
        return sum(count - most for count in counts if count > most)

    @staticmethod
    def _short(rule: model.Rule, where: Sequence[str]) -> int:
        """Return how many too few are left when the worst has happened."""
        short = 0
        counts = collections.Counter(where)
        for gone in itertools.combinations(
            counts, min(rule.options['lose'], len(counts))
        ):
            lost = sum(counts[domain] for domain in gone)
            left = len(rule.members) - lost
            short = max(short, rule.options['keep'] - left)
        return short

    def _distance(self, members: Collection[str]) -> int:
        for number in reversed(range(len(self.scopes))):
            if len(set(self._where(members, self.scopes[number]))) > 1:
                return number + 1
        return 0

    def _late(self, rule: model.Rule) -> int:
        """Return what can be told only when all members are placed."""
        if rule.policy != 'spread':
            return 0
        amount = 0
        n = collections.Counter(self._where(rule.members, rule.scope))
        skew = rule.options.get('max_skew')
        if skew is not None and self.skew_domains[rule.name]:
            counts = [n[d] for d in self.skew_domains[rule.name]]
            amount += max(0, max(counts) - min(counts) - skew)
        least = rule.options.get('min_domains')
        if least is not None:
            amount += max(0, least - len(n))
        return amount

    def _skew_domains(self, rule: model.Rule) -> set[str]:
        given = rule.options.get('domains')
        if given is not None:
            return set(given)
        found = set()
        for member in rule.members:
            demand = self.demands.get(member)
            for place in self._capable(demand):
                domain = self._domain(place, rule.scope)
                if domain is not None:
                    found.add(domain)
        return found

    def _capable(self, demand: model.Demand | None) -> Iterator[str]:
        """Give the places that could take it if all were empty."""
        if isinstance(demand, model.VolumeDemand):
            for name, pool in self.pools.items():
                if (
                    demand.type is None
                    or pool.types is None
                    or demand.type in pool.types
                ):
                    yield name
        elif demand is not None:
            for name, host in self.hosts.items():
                if demand.suitable is not None:
                    if name in demand.suitable:
                        yield name
                elif self._bears(demand, host) and all(
                    amount <= host.total.get(resource, 0)
                    for resource, amount in demand.resources.items()
                ):
                    yield name

    def _objective(self) -> int:
        used = {
            place
            for member, place in self.at.items()
            if place in self.hosts
            and not isinstance(self.demands.get(member), model.VolumeDemand)
        }
        if self.problem.objective == 'pack':
            return len(used)
        highest = 0
        for place in used:
            for resource, total in self.hosts[place].total.items():
                if total:
                    taken = total - self.free.get((place, resource), 0)
                    highest = max(highest, -(-1000 * taken // total))
        return highest


# -- random tiny problems ----------------------------------------------------

RESOURCES = ('VCPU', 'MEMORY_MB', 'DISK_GB')
LEVELS = (('rack',), ('zone', 'rack'), ('zone', 'row', 'rack'))
MOST_PLACEMENTS = 20000
POLICIES = (
    'affinity',
    'anti-affinity',
    'anti-affinity',
    'spread',
    'spread',
    'exclusive',
    'proximity',
    'survive',
)


def tiny(seed: int, beyond: bool = False) -> model.Problem:
    """Draw a problem of all rules mixed; equal seeds give equal problems.

    ``beyond``: with what only a live cloud has, and no document can say in
    its own words: unknown domains, pinned members, lists of candidates,
    budgets, pools without a bound.
    """
    return drawn(random.Random(seed), beyond)


def drawn(draw: random.Random, beyond: bool = False) -> model.Problem:
    """Draw a problem as :func:`tiny` does, from any source of chance."""
    return _Maker(draw, beyond).make()


class _Maker:
    def __init__(self, draw: random.Random, beyond: bool) -> None:
        self.draw, self.beyond = draw, beyond
        self.levels = draw.choice(LEVELS)
        self.softness = draw.choice((0.2, 0.5, 0.8, 0.95))
        self.scopes = ('host', *reversed(self.levels))

    def make(self) -> model.Problem:
        draw = self.draw
        self.busy = draw.choice((0, 0.2, 0.5))
        self.racks = self._racks()
        self.hosts = self._hosts()
        self.pools = self._pools()
        self.demands = self._demands()
        rules = tuple(self._rules())
        pinned = {}
        if self.beyond and draw.random() < 0.3:
            member = draw.choice(self.demands)
            places = (
                self.hosts
                if isinstance(member, model.ServerDemand)
                else self.pools
            )
            if places:
                pinned[member.member] = draw.choice(places).name
        return model.Problem(
            model.Snapshot(self.levels, self.hosts, self.pools),
            self.demands,
            rules,
            pinned,
            draw.choice(('pack', 'balance')),
            tuple(self._budgets()),
        )

    def _some(self, *choices: Any) -> Any:
        return self.draw.choice(choices)

    def _racks(self) -> list[dict[str, str]]:
        """Return the domains of each rack, its own among them."""
        racks = []
        for number in range(self._some(2, 2, 3, 4)):
            row = number // self._some(1, 2)
            zone = min(row, 1)
            names = {'zone': f'z{zone}', 'row': f'w{zone}{row}'}
            names['rack'] = f'r{number}'
            racks.append({level: names[level] for level in self.levels})
        return racks

    def _hosts(self) -> tuple[model.Host, ...]:
        draw = self.draw
        made: list[model.Host] = []
        for number in range(self._some(2, 3, 4, 4, 5, 6)):
            domains = dict(draw.choice(self.racks))
            if made and draw.random() < 0.4:
                # The like of another, here or in another rack.
                twin = draw.choice(made)
                made.append(
                    dataclasses.replace(
                        twin,
                        name=f'h{number}',
                        domains=self._some(twin.domains, domains),
                    )
                )
                continue
            if self.beyond and draw.random() < 0.15:
                domains = {
                    level: name
                    for level, name in domains.items()
                    if draw.random() < 0.5
                }
            free = {r: draw.choice((0, 2, 3, 4, 5, 6, 8)) for r in RESOURCES}
            total = {r: n + draw.choice((0, 0, 1, 3)) for r, n in free.items()}
            made.append(
                model.Host(
                    f'h{number}',
                    domains,
                    free,
                    total,
                    frozenset(t for t in 'AB' if draw.random() < 0.5),
                    draw.random() < self.busy,
                )
            )
        return tuple(made)

    def _pools(self) -> tuple[model.Pool, ...]:
        draw = self.draw
        made = []
        for number in range(self._some(0, 1, 2, 2, 3)):
            types = frozenset(t for t in ('ssd', 'hdd') if draw.random() < 0.7)
            domains: Mapping[str, str] = {}
            host = None
            where = self._some('host', *self.levels, None)
            if where == 'host':
                local = draw.choice(self.hosts)
                host, domains = local.name, local.domains
            elif where is not None:
                rack = draw.choice(self.racks)
                wider = self.levels[: self.levels.index(where) + 1]
                domains = {level: rack[level] for level in wider}
            no_bound = self.beyond and draw.random() < 0.2
            made.append(
                model.Pool(
                    f'p{number}',
                    None if no_bound else draw.randint(0, 9),
                    None if no_bound and draw.random() < 0.5 else types,
                    domains,
                    host,
                )
            )
        return tuple(made)

    def _demands(self) -> tuple[model.Demand, ...]:
        draw = self.draw
        made: list[model.Demand] = []
        kinds = [self._shape() for _ in range(self._some(1, 2, 3))]
        placements = 1
        for number in range(self._some(2, 3, 4, 5, 6, 7)):
            volumes = self.pools or (self.beyond and draw.random() < 0.3)
            is_volume = bool(volumes) and draw.random() < 0.3
            placements *= len(self.pools if is_volume else self.hosts) or 1
            if placements > MOST_PLACEMENTS:
                break
            if is_volume:
                made.append(self._volume(f'v{number}'))
            else:
                # Mostly one of a few kinds: alike members are where
                # searches cut corners.
                shape = draw.choice(kinds)
                made.append(dataclasses.replace(shape, member=f's{number}'))
        draw.shuffle(made)
        return tuple(made)

    def _shape(self) -> model.ServerDemand:
        draw = self.draw
        traits = draw.sample('AB', 2)
        return model.ServerDemand(
            '',
            {r: draw.choice((0, 1, 1, 1, 2, 3)) for r in RESOURCES},
            self._candidates(self.hosts),
            frozenset(traits[:1] if draw.random() < 0.2 else ()),
            frozenset(traits[1:] if draw.random() < 0.1 else ()),
            self._within(),
        )

    def _volume(self, name: str) -> model.VolumeDemand:
        return model.VolumeDemand(
            name,
            self._some(0, 1, 1, 2, 3),
            self._some(None, None, 'ssd', 'hdd'),
            self._candidates(self.pools),
            self._within(),
        )

    def _candidates(
        self, places: Sequence[model.Host | model.Pool]
    ) -> frozenset[str] | None:
        if not self.beyond or self.draw.random() < 0.7:
            return None
        names = [place.name for place in places]
        return frozenset(n for n in names if self.draw.random() < 0.7)

    def _within(self) -> tuple[str, str] | None:
        if self.draw.random() < 0.93:
            return None
        scope = self.draw.choice(self.scopes)
        return scope, self.draw.choice(self._names(scope))

    def _names(self, scope: str) -> list[str]:
        """Return the names of the domains that have a host or a pool."""
        found = {place.domain(scope) for place in (*self.hosts, *self.pools)}
        names = sorted(name for name in found if name is not None)
        return names or [self.racks[0].get(scope, self.hosts[0].name)]

    def _rules(self) -> Iterator[model.Rule]:
        members = [d.member for d in self.demands]
        made: list[model.Rule] = []
        for number in range(self._some(0, 1, 2, 3, 3, 4, 5)):
            rule = self._rule(f'g{number}', members, made)
            made.append(rule)
            yield rule

    def _rule(
        self,
        name: str,
        members: Sequence[str],
        groups: Sequence[model.Rule],
    ) -> model.Rule:
        draw = self.draw
        policy = draw.choice(POLICIES)
        if not any(h.is_busy for h in self.hosts) and draw.random() < 0.3:
            policy = 'exclusive'
        scope = 'host' if policy == 'proximity' else draw.choice(self.scopes)
        is_soft = policy == 'proximity' or draw.random() < self.softness
        return model.Rule(
            name,
            policy,
            scope,
            self._units(members, groups, policy == 'anti-affinity'),
            self._some(0, 1, 1, 2, 3, 5) if is_soft else None,
            self._options(policy, scope),
        )

    def _units(
        self,
        members: Sequence[str],
        groups: Sequence[model.Rule],
        disjoint: bool,
    ) -> tuple[tuple[str, ...], ...]:
        draw = self.draw
        units: list[tuple[str, ...]] = []
        if groups and draw.random() < 0.5:
            for group in draw.sample(groups, min(len(groups), 2)):
                taken = {m for unit in units for m in unit}
                if not disjoint or taken.isdisjoint(group.members):
                    units.append(group.members)
        taken = {m for unit in units for m in unit}
        for member in draw.sample(members, draw.randint(1, len(members))):
            if member not in taken:
                units.append((member,))
        draw.shuffle(units)
        return tuple(units)

    def _options(self, policy: str, scope: str) -> dict[str, Any]:
        draw = self.draw
        if policy == 'proximity':
            floor = self._some(None, None, *self.scopes)
            return {} if floor is None else {'at_least': floor}
        if policy == 'survive':
            return {
                'lose': self._some(1, 1, 2, 2, 3),
                'keep': self._some(1, 1, 2, 3),
            }
        if policy != 'spread':
            return {}
        options: dict[str, Any] = {}
        if draw.random() < 0.5:
            options['max_per_domain'] = self._some(1, 1, 2, 3)
        if draw.random() < 0.4:
            options['max_skew'] = self._some(0, 1, 1, 2)
            names = self._names(scope)
            if draw.random() < 0.3:
                count = draw.randint(1, len(names))
                options['domains'] = tuple(draw.sample(names, count))
        if draw.random() < 0.3 or not options:
            options['min_domains'] = self._some(1, 2, 2, 3)
        return options

    def _budgets(self) -> Iterator[model.Budget]:
        draw = self.draw
        if not self.beyond or draw.random() < 0.8:
            return
        scope = draw.choice(self.scopes)
        names = self._names(scope)
        yield model.Budget(
            'share',
            scope,
            {
                name: {'VCPU': draw.randint(0, 6)}
                for name in names
                if draw.random() < 0.7
            },
        )
