# SPDX-License-Identifier: Apache-2.0
"""A document by Heat's own resources, and what a stack update does to it.

Servers are ``OS::Heat::ResourceGroup`` of ``OS::Nova::Server``; a rule is an
``OS::Nova::ServerGroup``, as far as nova has it: hard, over hosts, one to a
server. None of the properties of a server group can be updated, nor can the
scheduler hints of a server. So a group of which the policy or the limit is
another one is replaced, and then all its servers are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

GROUP = 'OS::Nova::ServerGroup'
SERVERS = 'OS::Heat::ResourceGroup'
#: Of a server, what Heat changes in place.
IN_PLACE = ('metadata', 'tags', 'security_groups')

Document = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of the servers that there are; by name."""

    kept: frozenset[str]
    changed: frozenset[str]
    replaced: frozenset[str]
    removed: frozenset[str]


def update(
    before: Document, after: Document, remove: Collection[str] = ()
) -> Fates:
    """Return what ``stack update`` would do."""
    old, new = _servers(before, ()), _servers(after, remove)
    still = {name for name in old if name in new}
    replaced = {
        name for name in still if _lasting(old[name]) != _lasting(new[name])
    }
    changed = {name for name in still - replaced if old[name] != new[name]}
    return Fates(
        frozenset(still - replaced - changed),
        frozenset(changed),
        frozenset(replaced),
        frozenset(old.keys() - still),
    )


def _servers(
    document: Document, remove: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return each server's properties; its hint is what the group says.

    A resource group has the first so many indexes that are not on its list
    of removals.
    """
    found = {}
    for entry in _roles(document):
        hint = _group_of(entry['name'], document)
        indexes = _indexes(entry, remove)
        for index in indexes:
            found[f'{entry["name"]}-{index}'] = {
                **entry['spec'],
                'hint': hint and (hint['name'], _group(hint)),
            }
    return found


def _indexes(entry: Document, remove: Collection[str]) -> list[int]:
    number, found = 0, []
    while len(found) < entry['count']:
        if f'{entry["name"]}-{number}' not in remove:
            found.append(number)
        number += 1
    return found


def _lasting(properties: Document) -> dict[str, Any]:
    return {k: v for k, v in properties.items() if k not in IN_PLACE}


def _roles(document: Document) -> Iterator[Document]:
    for entry in document['instances']:
        if entry['type'] == 'server':
            yield entry


def _group_of(role: str, document: Document) -> Document | None:
    """Return the first rule of a role that nova has; it takes no second."""
    for group in document.get('groups', ()):
        if role in group['members'] and _group(group) is not None:
            found: Document = group
            return found
    return None


def _group(rule: Document) -> dict[str, Any] | None:
    """Return the properties of its server group; None: nova has no such."""
    asked = rule['spec']
    if 'weight' in asked or asked.get('scope', 'host') != 'host':
        return None
    if asked['policy'] == 'spread' and 'max_per_domain' in asked:
        return {
            'policies': ['anti-affinity'],
            'rules': {'max_server_per_host': asked['max_per_domain']},
        }
    if asked['policy'] in ('affinity', 'anti-affinity'):
        return {'policies': [asked['policy']]}
    return None


def says(document: Document) -> bool:
    """Tell whether nova has every rule of a document."""
    return all(
        _group(group) is not None
        and all(_group_of(m, document) is group for m in group['members'])
        for group in document.get('groups', ())
    )


def template(document: Document) -> dict[str, Any]:
    """Return the resources, to be made by Heat."""
    resources: dict[str, Any] = {}
    for rule in document.get('groups', ()):
        group = _group(rule)
        if group is not None:
            resources[f'rule-{rule["name"]}'] = {
                'type': GROUP,
                'properties': group,
            }
    for entry in _roles(document):
        resources[entry['name']] = _resource_group(entry, document)
    return {
        'heat_template_version': '2021-04-16',
        'resources': resources,
    }


def _resource_group(entry: Document, document: Document) -> dict[str, Any]:
    properties = dict(entry['spec'])
    rule = _group_of(entry['name'], document)
    if rule is not None:
        group = {'get_resource': f'rule-{rule["name"]}'}
        properties['scheduler_hints'] = {'group': group}
    return {
        'type': SERVERS,
        'properties': {
            'count': entry['count'],
            'resource_def': {
                'type': 'OS::Nova::Server',
                'properties': properties,
            },
        },
    }
