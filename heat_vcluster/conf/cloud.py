# SPDX-License-Identifier: Apache-2.0
"""Options that tell how the services of the cloud are reached."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('cloud', title='Reaching the services')

OPTS = [
    cfg.StrOpt(
        'region_name',
        help='The region whose services are used. Unset: that of the '
        'tenant, else the first in the catalog.',
    ),
    cfg.StrOpt(
        'interface',
        default='public',
        choices=['public', 'internal', 'admin'],
        help='Which kind of endpoint of the catalog is used.',
    ),
    cfg.FloatOpt(
        'request_timeout',
        default=120.0,
        min=1,
        max=bounds.YEAR,
        help='Seconds to wait for the answer to one request.',
    ),
    cfg.DictOpt(
        'concurrency',
        default={},
        help="""
How many requests one process sends to a service at a time, over all clusters
and tenants: ``nova:32,neutron:8``. Without a word: nova, neutron and placement
16; cinder, glance and keystone 8. Further ones wait for their turn.
""",
    ),
    cfg.BoolOpt(
        'server_groups',
        default=True,
        help="""
Whether servers under a strict rule over hosts are put into nova's own server
groups, as far as those can hold it and the tenant's quotas allow, so that nova
holds it when servers are evacuated or migrated later. Takes the filters
ServerGroupAntiAffinityFilter and ServerGroupAffinityFilter in nova, which are
on by default.
""",
    ),
    cfg.FloatOpt(
        'retry_seconds',
        default=30.0,
        min=0,
        max=bounds.YEAR,
        help="""
How long, in all, one request is put off and sent again while its service does
not answer, answers 5xx, or asks to come back later (429, Retry-After). Pauses
grow and are drawn by lot. What a service may have carried out is repeated
only where that makes nothing twice. A service that asks to stay away for
longer counts as one that failed.
""",
    ),
    cfg.IntOpt(
        'hold_chunk',
        default=100,
        min=1,
        max=bounds.COUNT,
        help='How many members are held by one request to placement. Up to '
        'this many a hold is one transaction; beyond it, several, undone '
        'together when one of them fails.',
    ),
]
