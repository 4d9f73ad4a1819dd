# SPDX-License-Identifier: Apache-2.0
"""How every command is told where its configuration is."""

from __future__ import annotations

import argparse

HELP = """\
Configuration is read from the files that --config-file names, else from
those in the environment variable HEAT_VCLUSTER_CONFIG (":" between), else
from /etc/heat-vcluster/heat-vcluster.conf."""


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--config-file',
        action='append',
        metavar='FILE',
        help='a file of the configuration (may be repeated)',
    )
