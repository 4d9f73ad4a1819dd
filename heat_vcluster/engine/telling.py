# SPDX-License-Identifier: Apache-2.0
"""Lets servers that were moved know where they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)


def tell_domains(
    outside: cloud.Cloud,
    writer: base.Writer,
    member: str,
    server_id: str,
    domains: Mapping[str, str],
) -> bool:
    """Tell a server, by pseudonyms; return whether that could be done.

    It is well where it is if not: an event says so, and it is for the next
    look to try again.
    """
    try:
        outside.tell_domains(server_id, domains)
    except exception.CloudError as error:
        LOG.warning('%s does not know where it is: %s', member, error)
        writer.add_event(
            member, 'untold', 'its server does not know where it is now'
        )
        return False
    return True
