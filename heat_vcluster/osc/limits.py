# SPDX-License-Identifier: Apache-2.0
"""openstack vcluster limits show."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from heat_vcluster.osc import base, columns

COLUMNS = {'resource': 'Resource', 'limit': 'Limit', 'used': 'Used'}


class ShowLimits(base.Lister):
    """Show how much the project may have, and has

    A limit of -1 is none.
    """

    EXAMPLES = """\
  openstack vcluster limits show
"""

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        limits = self.vcluster.limits().items()
        rows = ({'resource': name, **amounts} for name, amounts in limits)
        return columns.of_views(rows, COLUMNS)
