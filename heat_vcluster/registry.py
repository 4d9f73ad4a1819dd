# SPDX-License-Identifier: Apache-2.0
"""Finds what is plugged in by entry point: policies, members, clouds."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import metadata
from typing import Any


@functools.cache
def load(group: str) -> Mapping[str, Any]:
    """Return name -> object of one entry point group, by name.

    ``group`` is the part behind ``heat_vcluster.``, e.g. ``'policies'``.
    Errors of a broken plug-in are not hidden: the import error is raised.
    """
    points = metadata.entry_points(group=f'heat_vcluster.{group}')
    return {point.name: point.load() for point in sorted(points)}


@functools.cache
def get(group: str, name: str) -> Any:
    """Return one object by name; others of the group are not loaded.

    KeyError, naming what there is, if there is none of that name.
    """
    points = metadata.entry_points(group=f'heat_vcluster.{group}')
    if name not in points.names:
        raise KeyError(f'{name!r}: {group} are {", ".join(points.names)}')
    return points[name].load()
