# SPDX-License-Identifier: Apache-2.0
"""The kinds of rule, each with its check, its model and its sentence."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import metadata

from heat_vcluster.placement.policies import base

ENTRY_POINTS = 'heat_vcluster.policies'


@functools.cache
def load() -> Mapping[str, base.Policy]:
    """Return policy name -> policy, of all that are installed.

    Placement depends on nothing else of the product, so it reads the entry
    points by itself.
    """
    points = metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point.load()() for point in sorted(points)}
