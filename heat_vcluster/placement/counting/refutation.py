# SPDX-License-Identifier: Apache-2.0
"""What counts of members prove: that there is no placement.

Kinds of members are counted by domain (``tally``), which takes a small part of
the variables that members by place would. Every placement, added up, is a
solution of the counts: where they have none, there is no placement.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection

from heat_vcluster.placement.counting import framing, tally
from heat_vcluster.placement.numbers import compiled as numbers
from heat_vcluster.placement.numbers import contract
from heat_vcluster.placement.programs import linear

COUNTABLE = 150_000  # pairs up to which all is opened at all, for memory


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """There is no placement, proven."""


def refute(
    frame: framing.Frame,
    deadline: float,
    seed: int = 0,
    effort: float | None = None,
) -> bool:
    """Tell whether blocks of hosts, each as a whole, rule out a placement.

    ``deadline`` is as of ``time.monotonic``; ``effort`` in deterministic
    seconds, None: without end. True is a proof; False: not known.
    """
    return _is_none(frame, (), deadline, seed, effort) is True


def prove(
    compiled: numbers.Compiled,
    contracted: contract.Contracted,
    deadline: float,
    seed: int = 0,
) -> bool:
    """Tell whether there is no placement, proven; False: not known.

    As :func:`refute`, and then by all hosts one by one, unless that takes
    too much memory.
    """
    if contracted.contradiction is not None or compiled.stuck():
        return True
    frame = framing.Frame.of(compiled, contracted)
    for opened in ((), None):
        if opened is None and frame.n_pairs > COUNTABLE:
            break
        none = _is_none(frame, opened, deadline, seed)
        if none is not False:
            return none is True
    return False


def _is_none(
    frame: framing.Frame,
    opened: Collection[int] | None,
    deadline: float,
    seed: int,
    effort: float | None = None,
) -> bool | None:
    """Tell whether no counts obey the rules; None: time ran out."""
    if time.monotonic() > deadline:
        return None
    counts = tally.Tally(frame, opened)
    if counts.impossible:
        return True
    limits = {} if effort is None else {'max_deterministic_time': effort}
    outcome = counts.program.solve(deadline, seed, **limits)
    if outcome.status is linear.Status.UNKNOWN:
        return None
    return outcome.status is linear.Status.NONE
