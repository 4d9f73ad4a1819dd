# SPDX-License-Identifier: Apache-2.0
"""Options that tell how work is handed over to other processes."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('work', title='Handing work over to vcluster-engine')

OPTS = [
    cfg.StrOpt(
        'jobboard',
        secret=True,  # it may have a password
        help="""
Where vcluster-api tells any number of vcluster-engine processes what there is
to do. Unset: whoever answers requests builds by itself, as vcluster-service
always does.

* ``redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]``
* ``etcd://HOST[:PORT]``
* ``zookeeper://HOST[:PORT][,HOST[:PORT]...]``

What stands behind a ``?`` is passed on to the jobboard of TaskFlow, such as
``redis://HOST?ssl=true&ssl_ca_certs=FILE``. The board only hands over: what
it loses is found in the database, somewhat later.

Engines act for the users of clusters by trusts, see [trust].
""",
    ),
    cfg.FloatOpt(
        'claim_seconds',
        default=30.0,
        min=1,
        max=bounds.YEAR,
        help='After how long a job is free for others if its vcluster-engine '
        'says nothing. ZooKeeper has its own time for that, of the session.',
    ),
    cfg.IntOpt(
        'jobs',
        default=16,
        min=1,
        max=bounds.THREADS,
        help='On how many jobs one vcluster-engine works at a time.',
    ),
    cfg.FloatOpt(
        'poll_interval',
        default=1.0,
        min=0.05,
        max=bounds.HOUR,
        help='Seconds between two looks of a vcluster-engine for a job, when '
        'there was none.',
    ),
]
