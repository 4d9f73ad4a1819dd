# SPDX-License-Identifier: Apache-2.0
"""Reads names of scopes and domains against a cloud."""

from __future__ import annotations

from typing import Any, Protocol

from heat_vcluster.placement import model
from heat_vcluster.placement.format.faults import Faults


class Cloud(Protocol):
    """A cloud as far as it could be read."""

    @property
    def levels(self) -> tuple[str, ...] | None:
        """The levels, widest first; None if they could not be read."""

    def has(self, scope: str, name: str) -> bool:
        """Tell whether there is that domain; of parts not read: yes."""


def scope(value: Any, path: str, cloud: Cloud, faults: Faults) -> str | None:
    """Return a scope; None: there is no such one, or no telling."""
    if type(value) is not str or not value:
        faults.add(path, 'not a name')
        return None
    if value == model.HOST:
        return value
    if cloud.levels is None:
        return None
    if value not in cloud.levels:
        faults.add(path, f'no level {value!r}')
        return None
    return value


def know(
    name: str, scope: str, path: str, cloud: Cloud, faults: Faults
) -> None:
    """Tell of a domain that the cloud does not have."""
    if not cloud.has(scope, name):
        faults.add(path, f'no {scope} {name!r}')
