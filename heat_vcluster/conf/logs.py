# SPDX-License-Identifier: Apache-2.0
"""Where a process logs to."""

from __future__ import annotations

from oslo_config import cfg
from oslo_log import log

from heat_vcluster import exception


def begin(conf: cfg.ConfigOpts) -> None:
    """Log as the options say; to standard error if they name no place.

    Raises InvalidConfiguration, and OSError if a place cannot be written to.
    """
    conf.set_default('use_stderr', not (conf.log_file or conf.log_dir))
    try:
        log.setup(conf, 'heat_vcluster')
    except (
        log.LogConfigError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise exception.InvalidConfiguration(
            f'what [DEFAULT] says of logs: {error}'
        ) from error
