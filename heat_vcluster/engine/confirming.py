# SPDX-License-Identifier: Apache-2.0
"""What was resized is for good, once its cluster is what was asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.db import records
from heat_vcluster.engine import base, reasons, removal, telling
from heat_vcluster.members import base as members
from heat_vcluster.spec import incarnations

LOG = logging.getLogger(__name__)


def confirm(
    rows: Iterable[records.MemberRecord],
    outside: cloud.Cloud,
    writer: base.Writer,
    settings: base.Settings,
    check: Callable[[], None],
) -> list[str]:
    """Confirm all that is open; return what could not be, and why.

    Each is where its fact says from then on. ``check`` raises to stop.
    """
    resized = [row for row in rows if row.facts.get(members.RESIZE)]
    confirmations = [
        _Confirmation(outside, str(row.resource_id)) for row in resized
    ]
    until = time.monotonic() + settings.removal_timeout
    while not all([each.is_over() for each in confirmations]):
        check()
        if time.monotonic() > until:
            break
        time.sleep(settings.poll_interval)
    stuck = []
    for row, each in zip(resized, confirmations, strict=True):
        _settle(row, outside, writer, each.is_done)
        if not each.is_done:
            stuck.append(f'{incarnations.shown(row.name)} ({each.reason})')
    return stuck


class _Confirmation:
    """One server on its way to be confirmed; some refusals do not count."""

    def __init__(self, outside: cloud.Cloud, server_id: str) -> None:
        self._cloud = outside
        self._server_id = server_id
        self._is_asked = False
        self._failures = 0
        self.is_done = False
        self.reason = 'it takes too long'

    def is_over(self) -> bool:
        """Look, and ask once; never raises a CloudError."""
        if self.is_done or self._failures >= removal.ATTEMPTS:
            return True
        try:
            if not self._cloud.resize_state(self._server_id).is_open:
                self.is_done = True
            elif not self._is_asked:
                self._cloud.confirm_resize(self._server_id)
                self._is_asked = True
        except exception.CloudError as error:
            LOG.warning('%s: not confirmed: %s', self._server_id, error)
            self._failures += 1
            self.reason = reasons.words(error)
        return self.is_done


def _settle(
    row: Any, outside: cloud.Cloud, writer: base.Writer, is_done: bool
) -> None:
    """Let the record follow; what is not done is tried again later."""
    fact = row.facts[members.RESIZE]
    left = None if is_done else {'is_open': True}
    if 'place' not in fact:  # left from a change before this one
        writer.set_member(row.name, facts={members.RESIZE: left})
        return
    place, domains = fact['place'], fact['domains']
    told = row.facts.get(members.TOLD) or dict(row.domains)
    if domains != told and telling.tell_domains(
        outside, writer, row.name, row.resource_id, domains
    ):
        told = domains
    writer.set_member(
        row.name,
        facts={members.RESIZE: left, members.TOLD: told},
        place=place,
        domains=domains,
    )
