# SPDX-License-Identifier: Apache-2.0
"""Options that tell how the services of the cloud are reached."""

from __future__ import annotations

from oslo_config import cfg

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
        help='Seconds to wait for the answer to one request.',
    ),
    cfg.IntOpt(
        'hold_chunk',
        default=100,
        min=1,
        help='How many members are held by one request to placement. Up to '
        'this many a hold is one transaction; beyond it, several, undone '
        'together when one of them fails.',
    ),
]
