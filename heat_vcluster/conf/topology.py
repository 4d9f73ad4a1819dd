# SPDX-License-Identifier: Apache-2.0
"""Options that tell which levels a cloud has, and where they come from."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('topology', title='Levels of the topology')

OPTS = [
    cfg.ListOpt(
        'levels',
        default=['zone=availability_zone'],
        help="""
The levels above the host, widest first, each as NAME=SOURCE. Tenants write
the NAME as the scope of a group; ``host`` is always there and not listed.

* ``availability_zone``: the zone of the host, as nova has it.
* ``aggregate:KEY``: the value of metadata KEY of the host aggregate that the
  host is in.
* ``trait:PREFIX``: what follows PREFIX in the name of a trait of the host,
  e.g. ``trait:CUSTOM_ROW_``.

Example: ``zone=availability_zone,row=trait:CUSTOM_ROW_,rack=aggregate:rack``
""",
    ),
    cfg.IntOpt(
        'cache_seconds',
        default=60,
        min=0,
        max=bounds.YEAR,
        help='How long hosts, their aggregates, zones, levels and traits '
        'are remembered.',
    ),
    cfg.IntOpt(
        'capacity_seconds',
        default=5,
        min=0,
        max=bounds.YEAR,
        help='How long free room is taken to be as placement told it, where '
        'only a part of the cloud is read. After that it is asked whether '
        'anything has changed there. Old knowledge can lead to a plan made '
        'in vain, which is then made again; never to a refusal.',
    ),
    cfg.StrOpt(
        'default_availability_zone',
        default='nova',
        help='The zone of hosts that are in none: the same as '
        '[DEFAULT]/default_availability_zone of nova.',
    ),
]
