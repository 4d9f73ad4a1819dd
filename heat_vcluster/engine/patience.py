# SPDX-License-Identifier: Apache-2.0
"""Bears with a store that is away, for as long as the lease may live."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from heat_vcluster import exception
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)
T = TypeVar('T')


def bear(asked: T, is_lost: threading.Event, settings: base.Settings) -> T:
    """Return a store, or its writer, that is asked again while it is away.

    Each call raises LeaseLost once ``is_lost``; and ServiceUnavailable as
    ever when it has failed for as long as a lease lasts: then it is not the
    store that is away.
    """
    return cast(T, _Patient(asked, is_lost, settings))


class _Patient:
    def __init__(
        self, asked: Any, is_lost: threading.Event, settings: base.Settings
    ) -> None:
        self._asked = asked
        self._is_lost = is_lost
        self._settings = settings

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._persist, getattr(self._asked, name))

    def _persist(
        self, call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        give_up = time.monotonic() + self._settings.lease_seconds
        while True:
            try:
                return call(*args, **kwargs)
            except exception.ServiceUnavailable as away:
                if self._is_lost.wait(self._settings.poll_interval):
                    raise exception.LeaseLost(str(away)) from away
                if time.monotonic() > give_up:
                    raise
                LOG.warning('It is asked again: %s', away)
