# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-api: the REST API; the work is done by others."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oslo_config import cfg

from heat_vcluster import deploy, exception
from heat_vcluster import service as services
from heat_vcluster.cmd import serving

DESCRIPTION = """\
The REST API alone, for clouds where one process is not enough. What it is
asked for is done by any number of vcluster-engine processes, which have the
same database and the same jobboard:

  [database]
  connection = mysql+pymysql://vcluster:secret@db/vcluster
  [work]
  jobboard = redis://:secret@redis:6379

Any WSGI server does the same with heat_vcluster.wsgi.api:application.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = serving.parser('vcluster-api', DESCRIPTION).parse_args(argv)
    return serving.run(arguments, 'vcluster-api', _service)


def _service(conf: cfg.ConfigOpts) -> services.Service:
    if not conf.work.jobboard:
        raise exception.InvalidConfiguration(
            '[work]/jobboard is not set: nobody would build. '
            'vcluster-service builds by itself'
        )
    return deploy.api_from_config(conf)


if __name__ == '__main__':
    sys.exit(main())
