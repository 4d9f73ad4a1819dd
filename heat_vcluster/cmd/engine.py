# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-engine: builds what vcluster-api was asked for."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Sequence

from heat_vcluster import conf as configuration
from heat_vcluster import deploy, exception
from heat_vcluster.cmd import config_file, measuring, signals
from heat_vcluster.conf import logs

LOG = logging.getLogger(__name__)

#: Seconds for what runs to come to a point where others can go on.
STOP_SECONDS = 60.0

DESCRIPTION = """\
Builds and removes clusters for vcluster-api. Any number of these processes
may run, on any machines; all have the same database and the same jobboard:

  [database]
  connection = mysql+pymysql://vcluster:secret@db/vcluster
  [work]
  jobboard = redis://:secret@redis:6379

A process that dies loses nothing: another one goes on where it stopped.
"""

EPILOG = f"""\
{config_file.HELP}

SIGTERM or SIGINT: no new jobs, what has begun is handed over to the other
engines, then exit 0. A second one ends the process at once, which is safe.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog='vcluster-engine',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config_file.add_option(made)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        conf = configuration.load(config_files=arguments.config_file)
        logs.begin(conf)
        measuring.begin(conf)
        worker = deploy.worker_from_config(conf)
    except (exception.InvalidConfiguration, OSError) as error:
        print(f'vcluster-engine: {error}', file=sys.stderr)
        return 1
    told = signals.heard()
    claiming = threading.Thread(
        target=worker.run, name='vcluster-jobs', daemon=True
    )
    claiming.start()
    LOG.info('Waiting for jobs')
    signals.wait(told)
    LOG.info('Stopping')
    worker.stop(STOP_SECONDS)
    return 0


if __name__ == '__main__':
    sys.exit(main())
