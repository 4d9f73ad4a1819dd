# SPDX-License-Identifier: Apache-2.0
"""All members placed anew, exactly, on few hosts.

A plan on few hosts takes roomy ones, and hardly two of a rack for each shape,
unless many want to be near: on the roomiest of each rack, or of all, and those
in use, all members at once are a small problem even where the cloud is a
hundred times that. What comes of it is the best on these hosts; of others it
says nothing.
"""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement.better import dominance, thinning
from heat_vcluster.placement.columns import UNKNOWN, Flags, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Compiled
from heat_vcluster.placement.programs import exact


def solve(
    compiled: Compiled,
    placement: Ints,
    *,
    among: Flags,
    pairs: int,
    seconds: float,
    effort: float,
    seed: int,
    soft_bound: int = 0,
) -> exact.Result | None:
    """Place all as well as can be on some hosts; None: these are too many.

    ``placement`` is a valid one to begin from: its hosts are looked at, and
    those ``among`` which it is to be, if that is no more than ``pairs`` of a
    member and a place. For the rest see ``exact.solve``.
    """
    hosts = among.copy()
    hosts[amounts.used_hosts(compiled, placement)] = True
    allowed = dominance.reach(compiled, hosts)
    if sum(map(len, allowed.values())) > pairs:
        return None
    return exact.solve(
        compiled,
        hint=placement,
        allowed=allowed,
        seconds=seconds,
        effort=effort,
        seed=seed,
        soft_bound=soft_bound,
    )


def roomiest(compiled: Compiled, each: int) -> Flags:
    """Return the hosts that are the roomiest of their rack for any shape.

    So many for each shape and rack: a domain at the narrowest scope above
    the host.
    """
    column = compiled.domain[min(1, len(compiled.scopes) - 1)]
    found = np.zeros(compiled.n_hosts, np.bool_)
    for _, places in thinning.roomiest_first(compiled):
        racks = column[places]
        ranks = thinning.rank_among_equals(racks)
        found[places[(ranks < each) | (racks == UNKNOWN)]] = True
    return found


def largest(compiled: Compiled, count: int) -> Flags:
    """Return so many hosts, wherever they are, which take most of all.

    Of that resource of which a host takes the smallest part of what all
    servers ask.
    """
    asked = amounts.asked(compiled).tolist()
    parts = [
        free / amount
        for free, amount in zip(compiled.free, asked, strict=True)
        if amount
    ]
    found = np.zeros(compiled.n_hosts, np.bool_)
    if parts:
        order = np.argsort(-np.min(parts, axis=0), kind='stable')
        found[order[:count]] = True
    return found
