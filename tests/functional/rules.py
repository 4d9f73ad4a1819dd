# SPDX-License-Identifier: Apache-2.0
"""Whether placement rules hold: written apart from all that plans.

It reads the document as the tenant wrote it, and shares no line with the
spec, the solver or the product's own checker.
"""

import collections
import itertools
import math


def broken(document, places, domain, around=None):
    """Return what is wrong with ``places`` (member -> host or pool).

    ``domain(place, scope)`` tells a place's domain, None if it has none
    there. ``around`` tells more of the cloud, for rules that are about more
    than the members' places: see ``surroundings.Surroundings``. Of groups
    that are not strict only what must hold of them is looked at.
    """
    every = {}
    for scope in _scopes(document, around):
        found = {m: domain(place, scope) for m, place in places.items()}
        every[scope] = {m: d for m, d in found.items() if d is not None}
    return [
        f'{group["name"]}: {fault}'
        for group in document.get('groups', ())
        for fault in _broken(group, document, every, around)
    ] + [
        fault
        for entry in document.get('survive', ())
        if 'weight' not in entry and entry.get('strict', True)
        for fault in _not_surviving(entry, document, every)
    ]


def _scopes(document, around):
    named = {
        group['spec'].get('scope', 'host')
        for group in document.get('groups', ())
    } | {_loss(entry)[1] for entry in document.get('survive', ())}
    return named if around is None else named | {*around.scopes}


def _broken(group, document, every, around):
    asked = group['spec']
    strict = asked.get('strict', 'weight' not in asked)
    units = list(_units(group['members'], document))
    inside = {member for unit in units for member in unit}
    policy = asked['policy']
    if policy == 'proximity':
        yield from _too_far(asked, inside, every, around)
    elif strict:
        here = every[asked.get('scope', 'host')]
        judge = {
            'affinity': _scattered,
            'anti-affinity': _meeting,
            'spread': _uneven,
            'exclusive': _shared,
            'survive': _short,
        }[policy]
        yield from judge(asked, units, inside, here, around)


def _scattered(asked, units, inside, here, around):
    used = {here[member] for member in inside if member in here}
    if len(used) > 1:
        yield f'together, but in {sorted(used)}'


def _meeting(asked, units, inside, here, around):
    for one, other in itertools.combinations(units, 2):
        both = {here.get(m) for m in one} & {here.get(m) for m in other}
        for crowded in both - {None}:
            yield f'{one} and {other} meet in {crowded}'


def _uneven(asked, units, inside, here, around):
    count = collections.Counter(here[m] for m in inside if m in here)
    if 'max_per_domain' in asked:
        for crowded, number in count.items():
            if number > asked['max_per_domain']:
                yield f'{number} in {crowded}'
    if 'max_skew' in asked:
        over = asked.get('domains')
        if over is None:
            over = around.possible(inside, asked.get('scope', 'host'))
        numbers = [count[each] for each in over] or [0]
        if max(numbers) - min(numbers) > asked['max_skew']:
            yield f'from {min(numbers)} to {max(numbers)} in a domain'
    if len(count) < asked.get('min_domains', 0):
        yield f'only in {sorted(count)}'


def _shared(asked, units, inside, here, around):
    used = {here[member] for member in inside if member in here}
    for member, where in here.items():
        if member not in inside and where in used:
            yield f'{member} is in {where}, too'
    for where in used:
        if around.has_strangers(where, asked.get('scope', 'host')):
            yield f'others are in {where}, too'


def _short(asked, units, inside, here, around):
    yield from _lost(inside, here, asked['lose'], asked['keep'])


def _not_surviving(entry, document, every):
    count, scope = _loss(entry)
    for name, asked in entry['keep'].items():
        inside = {m for unit in _units([name], document) for m in unit}
        if isinstance(asked, str):
            asked = math.ceil(len(inside) * int(asked.rstrip('%')) / 100)
        for fault in _lost(inside, every[scope], count, asked):
            yield f'{name}: {fault}'


def _lost(inside, here, count, asked):
    """Try every loss of so many domains."""
    used = {here[member] for member in inside if member in here}
    for gone in itertools.combinations(sorted(used), min(count, len(used))):
        left = sum(here.get(member) not in gone for member in inside)
        if left < asked:
            yield f'{left} of {asked} left without {gone}'


def _loss(entry):
    """Return how many domains are lost, and their scope."""
    if isinstance(entry['lose'], str):
        count, scope = entry['lose'].split()
        return int(count), scope.rstrip('s')
    return entry['lose']['count'], entry['lose']['scope']


def _too_far(asked, inside, every, around):
    if 'at_least' in asked:
        floor = around.scopes.index(asked['at_least'])
        for scope in around.scopes[floor:]:
            used = {every[scope][m] for m in inside if m in every[scope]}
            if len(used) > 1:
                yield f'too far, in {sorted(used)}'


def _units(names, document):
    """Yield the units: a member, each copy of a counted one, a group."""
    instances = {each['name']: each for each in document['instances']}
    groups = {each['name']: each for each in document.get('groups', ())}
    for name in names:
        if name in groups:
            inner = _units(groups[name]['members'], document)
            yield [member for unit in inner for member in unit]
        elif 'count' in instances.get(name, {}):
            for number in range(instances[name]['count']):
                yield [f'{name}-{number}']
        else:
            yield [name]


def members(document):
    """Return the name of every member."""
    return [
        member
        for each in document['instances']
        for (member,) in _units([each['name']], document)
    ]
