# SPDX-License-Identifier: Apache-2.0
"""How parts of a view are told to people; programs get them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from cliff import columns
from osc_lib.cli import format_columns

Row = tuple[Sequence[str], Sequence[Any]]


class _Lines(columns.FormattableColumn):
    """One line for each thing."""

    def human_readable(self) -> str:
        return '\n'.join(self.lines()) if self._value else ''

    def lines(self) -> Iterable[str]:
        return map(str, self._value)


class Texts(_Lines):
    """A list of sentences."""


class Members(_Lines):
    """Name -> what is known of a member, be it planned or built."""

    def lines(self) -> Iterator[str]:
        for name, member in self._value.items():
            words = [
                name,
                member.get('status'),
                ','.join(member.get('addresses', ())),
                domains(member['domains']),
            ]
            yield '  '.join(word for word in words if word)


class Domains(columns.FormattableColumn):
    """Level -> the pseudonym of the domain."""

    def human_readable(self) -> str:
        return domains(self._value)


class Instances(_Lines):
    """The instances of a document."""

    def lines(self) -> Iterator[str]:
        for instance in self._value:
            count = instance.get('count', 1)
            times = f' x {count}' if count != 1 else ''
            yield f'{instance["name"]} ({instance["type"]}{times})'


class Groups(_Lines):
    """The groups of a document."""

    def lines(self) -> Iterator[str]:
        for group in self._value:
            spec = group['spec']
            scope = f' at {spec["scope"]}' if spec.get('scope') else ''
            members = ', '.join(map(str, group['members']))
            yield f'{group["name"]}: {spec["policy"]}{scope}: {members}'


class Placement(_Lines):
    """Which wishes do not hold, and what that costs."""

    def lines(self) -> Iterator[str]:
        yield f'soft cost {self._value["soft_cost"]}'
        for given_up in self._value['given_up']:
            where = ', '.join(given_up['where'])
            place = f' ({where})' if where else ''
            yield f'{given_up["group"]} is given up{place}'
        for rule in self._value['not_applied']:
            yield f'{rule["group"]} could not count {rule["member"]}'


class Survive(_Lines):
    """What a document has to survive."""

    def lines(self) -> Iterator[str]:
        for entry in self._value:
            lose = entry['lose']
            kept = ', '.join(
                f'{name} {n}' for name, n in entry['keep'].items()
            )
            yield f'lose {lose["count"]} {lose["scope"]}, keep {kept}'


class Survival(_Lines):
    """What losses leave; nothing is told before there is a plan."""

    def lines(self) -> Iterator[str]:
        for loss in self._value:
            if loss['says'] is not None:
                yield loss['says'] + ('' if loss['holds'] else ': too few')


class ServerGroups(_Lines):
    """Which rules nova holds by itself."""

    def lines(self) -> Iterator[str]:
        for rule in self._value:
            why = '' if rule['held'] else f': no, {rule["why"]}'
            yield f'{rule["group"]}{why}'


class Compliance(_Lines):
    """What the last check found."""

    def lines(self) -> Iterator[str]:
        yield f'{self._value["status"]} at {self._value["checked_at"]}'
        for fault in self._value['members']:
            yield f'{fault["member"]}: {fault["reason"]}'
        for rule in self._value['rules']:
            where = ', '.join(rule['where'])
            yield (
                f'{rule["policy"]} group {rule["group"]} does not hold for '
                f'{", ".join(rule["members"])}{f" ({where})" if where else ""}'
            )
        for group in self._value['not_judged']:
            yield f'group {group} could not be judged'


class Fates(_Lines):
    """What an update would do to each member."""

    def lines(self) -> Iterator[str]:
        for fate in self._value:
            properties = ', '.join(fate['properties'])
            why = fate['reason'] or properties
            yield f'{fate["member"]} is {fate["action"]}' + (
                f' ({why})' if why else ''
            )


class Moves(_Lines):
    """Which server moves from where to where, in that order."""

    def lines(self) -> Iterator[str]:
        for move in self._value:
            yield (
                f'{move["member"]}: {domains(move["from"])} -> '
                f'{domains(move["to"])}'
            )


class Copies(_Lines):
    """What a snapshot has of each member."""

    def lines(self) -> Iterator[str]:
        for copy in self._value:
            kind = copy['kind'].replace('_', ' ')
            yield f'{copy["member"]}: {kind} {copy["id"] or "(none yet)"}'


class Leftovers(_Lines):
    """What could not be removed."""

    def lines(self) -> Iterator[str]:
        for thing in self._value:
            yield f'{thing["kind"]} {thing["id"]}: {thing["reason"]}'


class Document(columns.FormattableColumn):
    """A document, as a file would have it."""

    def human_readable(self) -> str:
        return yaml.safe_dump(self._value, sort_keys=False)

    def machine_readable(self) -> Any:
        return self._value


#: A key of a view -> the name of its column, where that is another.
NAMES = {'metadata': 'properties'}

#: A key of a view -> how it is told to people.
FORMATS: Mapping[str, type[columns.FormattableColumn]] = {
    'compliance': Compliance,
    'moves': Moves,
    'addresses': format_columns.ListColumn,
    'changes': Fates,
    'domains': Domains,
    'floating_addresses': format_columns.ListColumn,
    'groups': Groups,
    'instances': Instances,
    'leftovers': Leftovers,
    'members': Members,
    'metadata': format_columns.DictColumn,
    'placement': Placement,
    'reasons': Texts,
    'repairs': Texts,
    'rules': Texts,
    'server_groups': ServerGroups,
    'sources': format_columns.DictColumn,
    'survival': Survival,
    'survive': Survive,
    'tags': format_columns.ListColumn,
}

#: Of use to programs that go by HTTP only.
_LEFT_OUT = frozenset({'links'})


def domains(names: Mapping[str, str]) -> str:
    """Return the widest domain first, as the service has them."""
    return '/'.join(names.values())


def value(key: str, raw: Any) -> Any:
    """Return what stands in the column of a view's key."""
    if key in FORMATS and raw is not None:
        return FORMATS[key](raw)
    return raw


def of_view(view: Mapping[str, Any]) -> Row:
    """Return the columns of one thing, and their values."""
    keys = [key for key in view if key not in _LEFT_OUT]
    return (
        [NAMES.get(key, key) for key in keys],
        [value(key, view[key]) for key in keys],
    )


def of_snapshot(view: Mapping[str, Any]) -> Row:
    """Return the columns of a snapshot, whose members are of another kind."""
    shown = {**view, 'members': Copies(view['members'])}
    if view.get('document') is not None:
        shown['document'] = Document(view['document'])
    return [*shown], [*shown.values()]


def of_views(
    views: Iterable[Mapping[str, Any]], keys: Mapping[str, str]
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    """Return the columns of a list, and its rows.

    ``keys``: key of a view -> name of its column.
    """
    rows = ([value(key, view.get(key)) for key in keys] for view in views)
    return [*keys.values()], rows
