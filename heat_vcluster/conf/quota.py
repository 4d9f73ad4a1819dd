# SPDX-License-Identifier: Apache-2.0
"""Options for how much of the service one project may have."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('quota', title='What one project may have')

OPTS = [
    cfg.IntOpt(
        'clusters',
        default=100,
        min=-1,
        max=bounds.COUNT,
        help='Clusters of one project, those in ERROR too; -1: any number.',
    ),
    cfg.IntOpt(
        'members',
        default=1000,
        min=-1,
        max=bounds.COUNT,
        help='Members of all clusters and held plans of one project '
        'together; -1: any number.',
    ),
    cfg.IntOpt(
        'held_plans',
        default=10,
        min=-1,
        max=bounds.COUNT,
        help='Plans of one project whose room is held at the same time; '
        '-1: any number.',
    ),
    cfg.IntOpt(
        'max_hold_seconds',
        default=3600,
        min=1,
        max=bounds.YEAR,
        help='The longest time for which the room of a plan is held. '
        'Nobody else can have it meanwhile.',
    ),
]
