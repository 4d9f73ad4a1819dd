# SPDX-License-Identifier: Apache-2.0
"""How a process tells what it measures."""

from __future__ import annotations

import logging
from typing import Any

from oslo_config import cfg

from heat_vcluster import deploy, metrics
from heat_vcluster.cmd import listening
from heat_vcluster.db import api as db

LOG = logging.getLogger(__name__)


def begin(conf: cfg.ConfigOpts) -> None:
    """Serve metrics if a port is set for them.

    Raises InvalidConfiguration, also if the port is taken.
    """
    options: Any = conf.metrics
    if options.port is None:
        return
    store = db.Store(deploy.database_url(conf))
    with listening.at('metrics', options):
        port = metrics.serve(options.host, options.port, store.count_statuses)
    LOG.info('Metrics at http://%s:%s/metrics', options.host, port)
