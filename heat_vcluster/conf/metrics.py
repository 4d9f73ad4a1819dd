# SPDX-License-Identifier: Apache-2.0
"""Options of what is measured."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('metrics', title='What a Prometheus can read')

OPTS = [
    cfg.PortOpt(
        'port',
        help='The port at which vcluster-service, vcluster-api and '
        'vcluster-engine tell a Prometheus what they measure, each process '
        'for itself. 0: any that is free; the log says which. Unset: at '
        'none. It takes the package prometheus_client.',
    ),
    cfg.HostAddressOpt(
        'host',
        default='127.0.0.1',
        help='The address of that port. Who can reach it needs no token, and '
        'sees numbers of all projects together.',
    ),
]
