# SPDX-License-Identifier: Apache-2.0
"""A cloud in memory, with the refusals of a real one and faults on request.

    >>> outside = FakeCloud(racks=4, hosts_per_rack=3)
    >>> outside.faults.ruin(model.Kind.SERVER, 'web-1')
    >>> cloud = outside.open(context.Context('alpha', 'ann'))

It knows the flavors, image, volume types and external network of the
development cloud. Nothing sleeps: what takes time in a cloud takes polls
here. The operator's verbs (``disable_host``, ``fill_host``, ...) change the
world at any moment, also from within a fault's action.
"""

from heat_vcluster.cloud.fake.faults import (
    ATTACHMENT,
    BUILDING,
    DELETING,
    Call,
    CloudDeath,
    Faults,
)
from heat_vcluster.cloud.fake.opener import FakeCloud, FakeTenant

__all__ = [
    'ATTACHMENT',
    'BUILDING',
    'DELETING',
    'Call',
    'CloudDeath',
    'FakeCloud',
    'FakeTenant',
    'Faults',
]
