# SPDX-License-Identifier: Apache-2.0
"""Hosts that nobody needs who uses few, as others do for all they do for."""

from __future__ import annotations

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import Flags, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Compiled

# What hosts of one domain can change places in.
BLIND = constraints.Together, constraints.AtMost, constraints.AtLeast


def needed(compiled: Compiled, most: int) -> Flags | None:
    """Return the hosts that are enough for any placement on so few hosts.

    By hard rules alone. A host dominates another one of the same domain, as
    far as rules look at domains, that has no more room and takes nobody
    else. Of ``most`` hosts that dominate it one is not in use where another
    host is: all that is there can move over. So if any placement uses no
    more than ``most`` hosts, one does that keeps to those which fewer
    dominate. None: some rule tells hosts apart otherwise.
    """
    if not _are_told_by_domain_only(compiled):
        return None
    taken = _taken(compiled)
    room = _room(compiled)
    domain = _domain(compiled)
    # Who has the most room comes first, so that nobody dominates in a circle.
    order = np.lexsort((*-room.T, -taken.sum(axis=0)))
    taken, room, domain = taken[:, order], room[order], domain[order]
    found = np.zeros(compiled.n_hosts, np.bool_)
    for number in np.flatnonzero(taken.any(axis=0)).tolist():
        rivals = np.flatnonzero(
            np.all(room[:number] >= room[number], axis=1)
            & (domain[:number] == domain[number])
        )
        if len(rivals) >= most:
            asked = taken[:, number]
            rivals = rivals[np.all(taken[asked][:, rivals], axis=0)]
        found[order[number]] = len(rivals) < most
    return found


def reach(compiled: Compiled, hosts: Flags) -> dict[int, list[int]]:
    """Return, by member, its places on these hosts, and those in pools."""
    pools = np.ones(compiled.n_places - compiled.n_hosts, np.bool_)
    open_to = np.append(hosts, pools)
    found = {}
    for member in range(len(compiled.members)):
        places = compiled.places(member)
        found[member] = places[open_to[places]].tolist()
    return found


def _are_told_by_domain_only(compiled: Compiled) -> bool:
    """Tell whether no rule knows a host from another one of its domain."""
    if compiled.budgets:
        return False
    return all(
        clause.kind in BLIND
        and all(compiled.is_server[m] for m in clause.members)
        if clause.scope == 0
        else clause.kind is not constraints.Near
        for clause in compiled.hard
    )


def _taken(compiled: Compiled) -> Flags:
    """Return which kinds of servers each host may have: [kind, host]."""
    servers = [shape for shape in compiled.shapes if shape.is_server]
    found = np.zeros((len(servers), compiled.n_hosts), np.bool_)
    for number, shape in enumerate(servers):
        found[number, shape.places] = True
    return found


def _room(compiled: Compiled) -> Ints:
    """Return the room, as far as all members together could take it."""
    asked = amounts.asked(compiled)
    columns = [
        np.minimum(free, most)
        for free, most in zip(compiled.free, asked, strict=True)
    ]
    return np.array(columns, np.int64).reshape(-1, compiled.n_hosts).T


def _domain(compiled: Compiled) -> Ints:
    """Return the domain of each host at the narrowest scope of a rule."""
    scopes = {clause.scope for clause in compiled.hard} - {0}
    if not scopes:
        return np.zeros(compiled.n_hosts, np.int64)
    found: Ints = compiled.domain[min(scopes)][: compiled.n_hosts]
    return found
