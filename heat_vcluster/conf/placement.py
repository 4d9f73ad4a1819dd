# SPDX-License-Identifier: Apache-2.0
"""Options of the search for a joint placement."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('placement', title='The search for a placement')

OPTS = [
    cfg.FloatOpt(
        'deadline',
        default=20.0,
        min=0.1,
        max=bounds.YEAR,
        help='Seconds the search may take before it gives up.',
    ),
    cfg.FloatOpt(
        'patience',
        default=1.0,
        min=0.0,
        max=bounds.YEAR,
        help='Seconds, of those, for which a first plan is made better '
        'before building begins: cheaper in soft rules first, then in what '
        'objective prefers. 0: the first plan is taken.',
    ),
    cfg.StrOpt(
        'objective',
        default='balance',
        choices=[
            ('balance', 'keep the fullest host as empty as possible'),
            ('pack', 'use as few hosts as possible'),
        ],
        help='What to prefer among the placements that obey all hard rules '
        'and cost the least in soft ones.',
    ),
    cfg.StrOpt(
        'save_problems',
        metavar='DIR',
        help='Save every problem that is posed, and the answer to it, as '
        'files in this directory, for vcluster-manage solve. They name '
        'hosts, so they are readable by this process alone. Unset: nothing '
        'is saved.',
    ),
]
