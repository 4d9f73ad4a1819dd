# SPDX-License-Identifier: Apache-2.0
"""What is known of each cluster, kept in SQL."""

from heat_vcluster.db.api import Store
from heat_vcluster.db.records import (
    ClusterRecord,
    DomainRecord,
    EventRecord,
    HoldRecord,
    HoldState,
    Lease,
    LeftoverRecord,
    MemberRecord,
    NewMember,
)
from heat_vcluster.db.writer import Writer

__all__ = [
    'ClusterRecord',
    'DomainRecord',
    'EventRecord',
    'HoldRecord',
    'HoldState',
    'Lease',
    'LeftoverRecord',
    'MemberRecord',
    'NewMember',
    'Store',
    'Writer',
]
