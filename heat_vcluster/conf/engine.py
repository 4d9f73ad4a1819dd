# SPDX-License-Identifier: Apache-2.0
"""Options of the engine that builds and removes clusters."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('engine', title='Building and removing clusters')

OPTS = [
    cfg.IntOpt(
        'handover_windows',
        default=3,
        min=1,
        max=bounds.COUNT,
        help='How many servers of one process may be between "hold '
        'released" and "claimed by nova" at a time. In this window another '
        'request can take the place, and it grows with the number of '
        'windows open at once; 2 to 4 cost no time.',
    ),
    cfg.IntOpt(
        'threads',
        default=32,
        min=1,
        max=bounds.THREADS,
        help='Size of the one thread pool of a process, in which the steps '
        'of all its clusters run.',
    ),
    cfg.IntOpt(
        'lease_seconds',
        default=15,
        min=3,
        max=bounds.YEAR,
        help='How long a cluster belongs to an engine that says nothing. '
        'After that another engine may take it over. The clocks of all '
        'machines with engines have to agree to well below that.',
    ),
    cfg.IntOpt(
        'replan_attempts',
        default=5,
        min=0,
        max=bounds.COUNT,
        help='How often a plan is made again, on fresh capacity, when its '
        'room was taken before it was held.',
    ),
    cfg.IntOpt(
        'replace_attempts',
        default=3,
        min=0,
        max=bounds.COUNT,
        help='How often one member is placed again when its room was taken '
        'between the release of its hold and the claim by nova.',
    ),
    cfg.IntOpt(
        'create_timeout',
        default=3600,
        min=1,
        max=bounds.YEAR,
        help='Seconds after which a create that was given no timeout is '
        'rolled back.',
    ),
    cfg.FloatOpt(
        'poll_interval',
        default=1.0,
        min=0.05,
        max=bounds.HOUR,
        help='Seconds between two looks at the state of one thing.',
    ),
]
