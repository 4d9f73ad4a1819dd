# SPDX-License-Identifier: Apache-2.0
"""Whether placement rules hold: written apart from all that plans.

It reads the document as the tenant wrote it, and shares no line with the
spec, the solver or the product's own checker.
"""

import collections


def broken(document, places, domain):
    """Return what is wrong with ``places`` (member -> host or pool).

    ``domain(place, scope)`` tells a place's domain, None if it has none
    there. Soft groups are not looked at.
    """
    return [
        fault
        for group in document.get('groups', ())
        if group['spec'].get('strict', True)
        for fault in _broken(group, document, places, domain)
    ]


def _broken(group, document, places, domain):
    asked = group['spec']
    scope = asked.get('scope', 'host')
    units = [
        {
            domain(places[member], scope)
            for member in unit
            if member in places and domain(places[member], scope) is not None
        }
        for unit in _units(group['members'], document)
    ]
    name, policy = group['name'], asked['policy']
    if policy == 'affinity' and len(set().union(*units)) > 1:
        yield f'{name}: together, but in {sorted(set().union(*units))}'
    if policy in ('anti-affinity', 'spread'):
        most = 1 if policy == 'anti-affinity' else asked['max_per_domain']
        count = collections.Counter(d for unit in units for d in unit)
        for crowded, number in count.items():
            if number > most:
                yield f'{name}: {number} units in {crowded}, {most} allowed'


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
