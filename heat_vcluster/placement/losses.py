# SPDX-License-Identifier: Apache-2.0
"""What is left of members when domains are lost, measured where they are."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """Of ``total`` members ``least`` are left, whichever domains are lost.

    ``unknown`` of the others are not known to be in any domain: they may be
    lost with those, so they are not counted among what is left.
    """

    total: int
    least: int
    unknown: int

    @property
    def share(self) -> int:
        """Return per cent, rounded down."""
        return 100 * self.least // self.total if self.total else 0


def measure(total: int, domains: Sequence[str | None], lost: int) -> Left:
    """Return what the loss of any so many domains leaves.

    ``domains`` has that of each member that is there, None: not known.
    ``total`` counts those too that are not there.
    """
    known = collections.Counter(d for d in domains if d is not None)
    worst = sum(sorted(known.values(), reverse=True)[:lost])
    return Left(total, known.total() - worst, sum(d is None for d in domains))
