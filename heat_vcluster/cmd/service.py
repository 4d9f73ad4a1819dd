# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-service: the whole service in one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from heat_vcluster import deploy
from heat_vcluster.cmd import serving

DESCRIPTION = """\
The REST API and the engine that builds, in one process: all that a cloud
needs, with nothing but a file for a database. Try it:

  vcluster-service --config-file heat-vcluster.conf &
  curl http://localhost:8799/healthcheck
  curl http://localhost:8799/v2/openapi.json

What was being built when a process ended is gone on with by the next one.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = serving.parser('vcluster-service', DESCRIPTION).parse_args(
        argv
    )
    return serving.run(arguments, 'vcluster-service', deploy.from_config)


if __name__ == '__main__':
    sys.exit(main())
