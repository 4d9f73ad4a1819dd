# SPDX-License-Identifier: Apache-2.0
"""Processes forked from one that has loaded already what they need.

Most of the time that a short process takes goes into its imports. There is
one such parent in a process of tests, and what it has loaded is settled when
the first child is asked for: so it is everything that any of them needs.
What is not installed it goes without.
"""

import multiprocessing

LOADED = (
    'tests.functional.doomed',
    'tests.functional.shell',
    'tests.servers.crew',
    'heat_vcluster.placement.joint',
    'openstackclient.shell',
    'openstack.connection',
    'heat_vcluster.http',
    'heat_vcluster.osc.plugin',
    'heat_vcluster.osc.clusters',
    'heat_vcluster.osc.plans',
    'heat_vcluster.osc.topology',
)


def process(target, *arguments, **more):
    """Return a process that is not started yet."""
    processes = multiprocessing.get_context('forkserver')
    processes.set_forkserver_preload(list(LOADED))
    return processes.Process(target=target, args=arguments, **more)
