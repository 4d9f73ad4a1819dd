# SPDX-License-Identifier: Apache-2.0
"""Where a process logs to."""

from __future__ import annotations

from oslo_config import cfg
from oslo_log import log


def begin(conf: cfg.ConfigOpts) -> None:
    """Log as the options say; to standard error if they name no place."""
    conf.set_default('use_stderr', not (conf.log_file or conf.log_dir))
    log.setup(conf, 'heat_vcluster')
