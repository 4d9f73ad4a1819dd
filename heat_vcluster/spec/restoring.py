# SPDX-License-Identifier: Apache-2.0
"""The document of a snapshot: that of the cluster, with its own sources.

Whoever builds it anew has a copy of the cluster; and a cluster that becomes
it, by a change like any other, is restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster.spec import counts

Document = Mapping[str, Any]


def document(
    before: Document, sources: Mapping[str, Document]
) -> dict[str, Any]:
    """Return what makes each member of what the snapshot has of it.

    ``sources``: as in a document. Copies have the numbers that they had,
    whatever there is by now.
    """
    instances = [
        {**entry, 'indexes': [*counts.indexes(entry)]}
        if 'count' in entry
        else entry
        for entry in before['instances']
    ]
    return {**before, 'instances': instances, 'sources': dict(sources)}


def anew(running: Document, wanted: Document) -> dict[str, Any]:
    """Return a snapshot's document so that all of it is made anew.

    Also of those that are made of the same snapshot already.
    """
    there = running.get('sources') or {}
    return {
        **wanted,
        'update_policy': {
            **(wanted.get('update_policy') or {}),
            'replace_on': 'any',
        },
        'sources': {
            name: _again(source, there.get(name, {}))
            for name, source in wanted['sources'].items()
        },
    }


def _again(source: Document, there: Document) -> dict[str, Any]:
    if {**there, 'again': 0} != {**source, 'again': 0}:
        return dict(source)
    return {**source, 'again': there.get('again', 0) + 1}
