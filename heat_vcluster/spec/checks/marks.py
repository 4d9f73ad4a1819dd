# SPDX-License-Identifier: Apache-2.0
"""Metadata of servers and volumes leaves the product's own keys alone.

By them it finds again what it made, and tells a server where it is.
"""

from __future__ import annotations

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults

#: How no key of a tenant's may begin.
OWN = ('vcluster:', 'vcluster_')


def own_keys(draft: drafts.Draft) -> faults.Found:
    for copy in draft.copies:
        for key in copy.spec.get('metadata', {}):
            if key.lower().startswith(OWN):
                yield (
                    (*copy.path, 'spec', 'metadata', key),
                    f"keys that begin with '{OWN[0]}' or '{OWN[1]}' are set "
                    'by the service; choose another name',
                )
