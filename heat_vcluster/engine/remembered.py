# SPDX-License-Identifier: Apache-2.0
"""The places of a cluster as its record has them, without the cloud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heat_vcluster.db import records
from heat_vcluster.placement import model


def snapshot(
    rows: Iterable[records.MemberRecord],
    known: Mapping[tuple[str, str], str],
) -> model.Snapshot:
    """Return the members' places, full, with the domains they sit in.

    A place that the cloud no longer offers still counts in the rules. None
    is busy with others, as far as the record tells: whoever wants to be
    alone had no others when it was placed. ``known`` as in Pseudonyms.
    """
    real = {
        (scope, pseudonym): name for (scope, name), pseudonym in known.items()
    }
    hosts: dict[str, model.Host] = {}
    pools: dict[str, model.Pool] = {}
    for row in rows:
        if row.place is None:
            continue
        domains = {
            scope: real[scope, pseudonym]
            for scope, pseudonym in row.domains.items()
        }
        host = domains.pop(model.HOST, None)
        if row.place == host:
            hosts[host] = model.Host(host, domains, {}, {})
        else:
            pools[row.place] = model.Pool(row.place, 0, None, domains, host)
    return model.Snapshot((), tuple(hosts.values()), tuple(pools.values()))
