# SPDX-License-Identifier: Apache-2.0
"""Options for what the provider keeps back from tenants' clusters."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('limits', title="The provider's limits")

OPTS = [
    cfg.ListOpt(
        'forbidden_rules',
        default=[],
        help="""
Rules that tenants may not use, each as POLICY@SCOPE, for strict and other
ones, or POLICY@SCOPE:strict. ``*`` stands for any policy or any scope. A
proximity has no scope: ``proximity@rack`` means one whose ``at_least`` is
rack, and ``proximity@*`` any. Documents with such a rule are refused at
once; clusters that have one already stay.

Example: ``affinity@host:strict,exclusive@*``
""",
    ),
    cfg.ListOpt(
        'host_headroom',
        default=[],
        help="""
What stays free on every host, each as RESOURCE=AMOUNT or RESOURCE=PERCENT%
(of the total), by the resource classes of placement; ``*`` stands for any.

Example: ``VCPU=2,MEMORY_MB=5%``
""",
    ),
    cfg.ListOpt(
        'domain_headroom',
        default=[],
        help="""
What stays free in every domain of a level, each as LEVEL:RESOURCE=AMOUNT or
LEVEL:RESOURCE=PERCENT%.

Example: ``rack:VCPU=10%,rack:MEMORY_MB=10%``
""",
    ),
    cfg.ListOpt(
        'tenant_share',
        default=[],
        help="""
The most that one tenant may have of a domain by way of a cluster, each as
LEVEL:RESOURCE=AMOUNT or LEVEL:RESOURCE=PERCENT% (of the domain's total). All
servers of the tenant count, those outside of clusters too, by their flavors,
and so does what is held for clusters being built. To know where his servers
are takes one more list of them for each create.

Example: ``rack:*=25%``
""",
    ),
]
