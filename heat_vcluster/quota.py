# SPDX-License-Identifier: Apache-2.0
"""How much of the service itself one project may have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from heat_vcluster.db import usage

UNLIMITED = usage.UNLIMITED


@dataclasses.dataclass(frozen=True, slots=True)
class Quota:
    """What every project may have, -1 for any number.

    ``members`` are those of all clusters and held plans together. Nothing
    is limited unless the operator says so, but for the time of a hold.
    """

    clusters: int = UNLIMITED
    members: int = UNLIMITED
    held_plans: int = UNLIMITED
    max_hold_seconds: int = 3600

    def limits(self, own: Mapping[str, int]) -> dict[str, int]:
        """Return resource -> limit; ``own`` are those of one project."""
        return {
            usage.CLUSTERS: self.clusters,
            usage.MEMBERS: self.members,
            usage.HELD_PLANS: self.held_plans,
            **own,
        }
