# SPDX-License-Identifier: Apache-2.0
"""Knows the other ways to write a document, and the canonical one of each.

Most come from the blueprint (``groupings``, ``membersRef``, ``imageRef``);
some are short forms. What cannot be understood is left as it is: the schema
says what would be right.
"""

from __future__ import annotations

import json
import re
from typing import Any

from heat_vcluster.spec import faults, paths

_DOCUMENT = {'groupings': 'groups'}
_SPEC = {'imageRef': 'image', 'flavorRef': 'flavor'}
_GROUP = {'membersRef': 'members'}
_RULE = {'rule': 'policy'}
_TYPES = {'block-storage': 'volume'}

_LOSS = re.compile(r' *(?P<count>[0-9]{1,6}) +(?P<scope>[^ ]+) *', re.ASCII)
_NUMBER = re.compile(r' *(?P<number>[0-9]{1,6}) *(?P<share>%?) *', re.ASCII)
# A word that ends so is no plural.
_SINGULAR = ('ss', 'us', 'is')


def canonical(raw: Any, found: faults.Faults) -> Any:
    """Return the document in its canonical spelling.

    Where that moves a value, ``found.places`` learns its written place.
    """
    return _Speller(found).document(raw)


class _Speller:
    def __init__(self, found: faults.Faults) -> None:
        self._faults = found
        self._places = found.places

    def document(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        if 'vcluster' in raw:
            self._wrapped_alone(raw)
            self._places.record((), ('vcluster',))
            raw = raw['vcluster']
        if not isinstance(raw, dict):
            return raw
        document = self._renamed(raw, (), _DOCUMENT)
        for key, words, spell in (
            ('instances', ('instance',), self._instance),
            ('groups', ('grouping', 'group'), self._group),
            ('survive', (), self._survive),
        ):
            if key in document:
                entries = self._entries(document[key], (key,), words)
                if isinstance(entries, list):
                    entries = [
                        spell(entry, (key, place))
                        for place, entry in enumerate(entries)
                    ]
                document[key] = entries
        if isinstance(document.get('update_policy'), dict):
            document['update_policy'] = self._policy(document['update_policy'])
        return document

    def _policy(self, raw: dict[str, Any]) -> dict[str, Any]:
        policy = self._renamed(raw, ('update_policy',), {})
        if policy.get('replace_on') == 'any':
            written = self._places.written(('update_policy', 'replace_on'))
            self._places.record(('update_policy', 'replace_on', 0), written)
            policy['replace_on'] = ['any']
        return policy

    def _wrapped_alone(self, raw: dict[str, Any]) -> None:
        for key in raw:
            if key != 'vcluster':
                self._faults.add_written(
                    (key,),
                    "stands beside 'vcluster', which has the whole document",
                )

    def _renamed(
        self,
        mapping: dict[str, Any],
        path: paths.Path,
        names: dict[str, str],
    ) -> dict[str, Any]:
        """Return the mapping with canonical keys and without nulls.

        A null says "not set", so that a template can pass an optional
        parameter on; only for a gateway it has a meaning of its own.
        """
        written = self._places.written(path)
        renamed: dict[str, Any] = {}
        origin: dict[str, str] = {}
        for key, value in mapping.items():
            if value is None:
                continue
            name = names.get(key, key)
            if name in renamed:
                self._faults.add_written(
                    (*written, key),
                    f"says the same as '{origin[name]}'; keep one of them",
                )
                continue
            renamed[name], origin[name] = value, key
            if name != key:
                self._places.record((*path, name), (*written, key))
        return renamed

    def _entries(
        self, value: Any, path: paths.Path, words: tuple[str, ...]
    ) -> Any:
        """Return the list that ``{word: [...]}`` or ``{word: {...}}`` is."""
        written = self._places.written(path)
        inner, word = _unwrapped(value, words)
        if word is not None:
            if isinstance(inner, dict):
                self._places.record((*path, 0), (*written, word))
                return [inner]
            self._places.record(path, (*written, word))
            value = inner
        if not isinstance(value, list):
            return value
        written = self._places.written(path)
        entries = []
        for place, entry in enumerate(value):
            inner, word = _unwrapped(entry, words)
            if word is not None:
                self._places.record((*path, place), (*written, place, word))
            entries.append(inner)
        return entries

    def _instance(self, entry: Any, path: paths.Path) -> Any:
        if not isinstance(entry, dict):
            return entry
        instance = self._renamed(entry, path, {})
        kind = instance.get('type')
        if isinstance(kind, str):
            kind = instance['type'] = _TYPES.get(kind, kind)
        spec = instance.setdefault('spec', {})
        if isinstance(spec, dict):
            instance['spec'] = self._spec(spec, (*path, 'spec'), kind)
        return instance

    def _spec(
        self, raw: dict[str, Any], path: paths.Path, kind: Any
    ) -> dict[str, Any]:
        spec = self._renamed(raw, path, _SPEC)
        if 'metadata' in spec:
            spec['metadata'] = _texts(spec['metadata'])
        if kind == 'server':
            self._named(spec, path, 'networks', 'network')
            self._named(spec, path, 'volumes', 'volume')
            self._floating_ips(spec, path)
        if isinstance(spec.get('router'), dict):
            spec['router'] = _set(spec['router'])
        if isinstance(spec.get('subnets'), list):
            spec['subnets'] = [_set(s, 'gateway') for s in spec['subnets']]
        return spec

    def _named(
        self, spec: dict[str, Any], path: paths.Path, key: str, word: str
    ) -> None:
        """Write the entries that are only a name as ``{word: name}``."""
        entries = spec.get(key)
        if not isinstance(entries, list):
            return
        written = self._places.written((*path, key))
        spelled = []
        for place, entry in enumerate(entries):
            if isinstance(entry, str):
                self._places.record(
                    (*path, key, place, word), (*written, place)
                )
                spelled.append({word: entry})
            else:
                spelled.append(_set(entry))
        spec[key] = spelled

    def _floating_ips(self, spec: dict[str, Any], path: paths.Path) -> None:
        entries = spec.get('networks')
        for place, entry in enumerate(
            entries if isinstance(entries, list) else ()
        ):
            if not isinstance(entry, dict):
                continue
            inner, word = _unwrapped(entry.get('floating_ip'), ('network',))
            if word is not None:
                place_of = (*path, 'networks', place, 'floating_ip')
                written = self._places.written(place_of)
                self._places.record(place_of, (*written, word))
                entry['floating_ip'] = inner

    def _group(self, entry: Any, path: paths.Path) -> Any:
        if not isinstance(entry, dict):
            return entry
        group = self._renamed(entry, path, _GROUP)
        if 'membersRef' in entry:
            group['members'] = _listed(group.get('members'))
        if isinstance(group.get('spec'), dict):
            group['spec'] = self._renamed(
                group['spec'], (*path, 'spec'), _RULE
            )
        return group

    def _survive(self, entry: Any, path: paths.Path) -> Any:
        if not isinstance(entry, dict):
            return entry
        found = self._renamed(entry, path, {})
        loss = _loss(found.get('lose'))
        if loss is not None:
            written = self._places.written((*path, 'lose'))
            for key in loss:
                self._places.record((*path, 'lose', key), written)
            found['lose'] = loss
        elif 'lose' in found:
            found['lose'] = _set(found['lose'])
        if isinstance(found.get('keep'), dict):
            found['keep'] = {
                name: _number(value)
                for name, value in found['keep'].items()
                if value is not None
            }
        return found


def _loss(value: Any) -> dict[str, Any] | None:
    """Return what ``2 racks`` says; None: it is no such text."""
    match = _LOSS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    count, scope = int(match['count']), match['scope']
    if count > 1 and scope.endswith('s') and not scope.endswith(_SINGULAR):
        scope = scope[:-1]
    return {'count': count, 'scope': scope}


def _number(value: Any) -> Any:
    """Return the number or the share that a text holds."""
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    number = int(match['number'])
    return f'{number}%' if match['share'] else number


def _unwrapped(value: Any, words: tuple[str, ...]) -> tuple[Any, str | None]:
    """Return what ``{word: inner}`` holds and the word, else the value."""
    if isinstance(value, dict) and len(value) == 1:
        [(word, inner)] = value.items()
        if word in words:
            return inner, word
    return value, None


def _set(value: Any, *nullable: str) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key: inner
        for key, inner in value.items()
        if inner is not None or key in nullable
    }


def _texts(metadata: Any) -> Any:
    """Return metadata with its numbers and booleans as text."""
    if not isinstance(metadata, dict):
        return metadata
    return {
        key: json.dumps(value) if isinstance(value, int | float) else value
        for key, value in metadata.items()
        if value is not None
    }


def _listed(members: Any) -> Any:
    """Return the list that the blueprint's ``membersRef`` text holds."""
    if not isinstance(members, str):
        return members
    try:
        inner = json.loads(members)
    except (ValueError, RecursionError):
        return members
    is_names = isinstance(inner, list) and all(
        isinstance(name, str) for name in inner
    )
    return inner if is_names else members
