# SPDX-License-Identifier: Apache-2.0
"""What can be said of a document before all of its values are known.

When Heat validates a stack, the resources that others refer to do not exist
yet. Each value that hangs on one is left open here; what the rest of the
document says is checked, and a fault that an open value may have caused is
not held against it. The whole is checked again, with all values, when the
cluster is created.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heat.engine import function

from heat_vcluster import exception

#: Who the members and groups are: all else refers to their names.
_DECIDES_NAMES = re.compile(
    r'(instances|groups)(\[\d+\](\.(name|type|count|spec))?)?$'
)


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A document with open values, and the paths where those stand."""

    document: Mapping[str, Any]
    open_paths: tuple[str, ...]

    @property
    def can_be_checked(self) -> bool:
        """Tell whether it is known at least who the members are."""
        return not any(map(_DECIDES_NAMES.match, self.open_paths))

    def certain(
        self, faults: Iterable[exception.Fault]
    ) -> tuple[exception.Fault, ...]:
        """Return the faults that no open value can have caused."""
        doubtful = tuple(map(_reach, self.open_paths))
        return tuple(
            fault
            for fault in faults
            if not any(_is_within(fault.path, path) for path in doubtful)
        )


def of(properties: Mapping[str, Any]) -> Draft:
    """Draft the document of a template's (parsed) properties."""
    open_paths: list[str] = []
    document = _resolve(properties, '', open_paths)
    return Draft(document, tuple(open_paths))


def _resolve(value: Any, path: str, open_paths: list[str]) -> Any:
    if isinstance(value, function.Function):
        if not _waits_for_a_resource(value):
            return function.resolve(value, nullable=True)
        open_paths.append(path)
        # Text, as most values are; each its own, for some must differ.
        return f'value-{len(open_paths)}-of-another-resource'
    if isinstance(value, Mapping):
        return dict(_resolve_items(value, path, open_paths))
    if isinstance(value, list | tuple):
        return list(_resolve_list(value, path, open_paths))
    return value


def _resolve_items(
    values: Mapping[str, Any], path: str, open_paths: list[str]
) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        below = f'{path}.{key}' if path else str(key)
        result = _resolve(value, below, open_paths)
        if result is not Ellipsis:
            yield key, result


def _resolve_list(
    values: Iterable[Any], path: str, open_paths: list[str]
) -> Iterator[Any]:
    # Counted by what stays, for the faults name places in the result.
    position = 0
    for value in values:
        result = _resolve(value, f'{path}[{position}]', open_paths)
        if result is not Ellipsis:
            position += 1
            yield result


def _waits_for_a_resource(value: function.Function) -> bool:
    """Tell whether it needs something of a resource not made yet."""
    return any(
        needed.action == needed.INIT for needed in function.dependencies(value)
    )


def _reach(path: str) -> str:
    """Return the place below which an open value may cause faults.

    In a small map such as a subnet the values are checked against each
    other: there it is the map, else the value itself.
    """
    around = path.rpartition('.')[0]
    # Two dots: below ``instances[0].spec`` itself.
    return around if around.count('.') > 1 else path


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith((place + '.', place + '['))
