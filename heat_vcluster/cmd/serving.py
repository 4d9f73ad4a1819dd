# SPDX-License-Identifier: Apache-2.0
"""What vcluster-service and vcluster-api share: to serve until a signal."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from heat_vcluster import conf as configuration
from heat_vcluster import exception
from heat_vcluster import service as services
from heat_vcluster.api import app
from heat_vcluster.cmd import config_file, listening, measuring, signals
from heat_vcluster.conf import logs
from heat_vcluster.wsgi import server

LOG = logging.getLogger(__name__)

EPILOG = f"""\
{config_file.HELP} The least there has to be:

  [keystone_authtoken]      how tokens are checked
  [service_auth]            the account that acts beside the tenant's token
  [database]
  connection = ...          unset: SQLite below /var/lib/heat-vcluster

SIGTERM or SIGINT: no new requests, what has begun ends or is handed over,
then exit 0. A second one ends the process at once.

Logs go to standard error; [DEFAULT]/use_json makes them JSON.
"""

#: Makes the service that a configuration describes.
Make = Callable[[cfg.ConfigOpts], services.Service]


def parser(name: str, description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config_file.add_option(made)
    made.add_argument('--host', help='listen there, not at [api]/host')
    made.add_argument(
        '--port', type=int, help='listen there, not at [api]/port'
    )
    return made


def run(arguments: argparse.Namespace, name: str, make: Make) -> int:
    """Serve by the configuration; return the exit code."""
    try:
        conf = configuration.load(config_files=arguments.config_file)
        for option in ('host', 'port'):
            if getattr(arguments, option) is not None:
                conf.set_override(option, getattr(arguments, option), 'api')
        logs.begin(conf)
        measuring.begin(conf)
        return serve(make(conf), conf)
    except (exception.InvalidConfiguration, ValueError, OSError) as error:
        print(f'{name}: {error}', file=sys.stderr)
        return 1


def serve(service: services.Service, conf: cfg.ConfigOpts) -> int:
    """Answer requests until a signal; what has begun is then ended well."""
    options: Any = conf.api
    door = server.Server(
        app.make_app(service, conf),
        options.host,
        options.port,
        threads=options.threads,
        stop_seconds=options.stop_seconds,
    )
    told = signals.heard()
    try:
        with listening.at('api', options):
            door.start()
        LOG.info('Listening on %s', door.address)
        service.engine.watch()  # what an earlier process has left
        signals.wait(told)
        LOG.info('Stopping')
    finally:
        door.stop()
        service.stop(options.stop_seconds)
    return 0
