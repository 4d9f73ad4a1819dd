# SPDX-License-Identifier: Apache-2.0
"""The operator's configuration: which options there are, read from files.

There is no global configuration: whoever needs one is given a ConfigOpts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log

from heat_vcluster import exception
from heat_vcluster.conf import opts

VARIABLE = 'HEAT_VCLUSTER_CONFIG'
DEFAULT_FILE = Path('/etc/heat-vcluster/heat-vcluster.conf')


def load(
    args: Sequence[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] | None = None,
) -> cfg.ConfigOpts:
    """Return the configuration, read anew.

    Files: those given, else those named by the environment variable
    HEAT_VCLUSTER_CONFIG (several with ``:`` between), else the default file
    if it is there. Raises InvalidConfiguration.
    """
    conf = registered()
    try:
        conf(
            args=list(args or ()),
            project='heat-vcluster',
            default_config_files=files(config_files),
            default_config_dirs=[],
        )
    except cfg.Error as error:
        raise exception.InvalidConfiguration(str(error)) from error
    except (OSError, ValueError) as error:
        names = ', '.join(files(config_files))
        raise exception.InvalidConfiguration(
            f'{names} cannot be read: {error}'
        ) from error
    check(conf)
    return conf


def registered() -> cfg.ConfigOpts:
    """Return the configuration with all its options, and no file read."""
    conf = cfg.ConfigOpts()
    opts.register(conf)
    log.register_options(conf)
    conf.register_opts(db_options.database_opts, 'database')
    return conf


def check(conf: cfg.ConfigOpts) -> None:
    """Raise InvalidConfiguration if a value cannot be meant."""
    try:
        opts.check(conf)
    except (cfg.Error, ValueError) as error:
        raise exception.InvalidConfiguration(str(error)) from error


def files(
    given: Sequence[str | os.PathLike[str]] | None = None,
) -> list[str]:
    """Return the files to read: those given, else those that are found."""
    if given is not None:
        return [str(path) for path in given]
    named = os.environ.get(VARIABLE)
    if named:
        return named.split(os.pathsep)
    return [str(DEFAULT_FILE)] if DEFAULT_FILE.exists() else []
