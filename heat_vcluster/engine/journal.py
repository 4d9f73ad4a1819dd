# SPDX-License-Identifier: Apache-2.0
"""What became of members, gathered so that much of it is written at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from heat_vcluster import exception
from heat_vcluster.db import records
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)


class Journal:
    """News come in from many threads, and are written in their order.

    Whoever has something written takes along what others have by then, so
    that there are few transactions where much happens.
    """

    def __init__(self, writer: base.Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._news: list[records.News] = []

    def add(self, *news: records.News) -> None:
        """Have it written with what comes next, or by the next ``flush``."""
        with self._lock:
            self._news.extend(news)

    def write(self, *news: records.News) -> None:
        """Return once it is written; raises as ``Writer.tell`` does."""
        self.add(*news)
        self.flush()

    def settle(self, member: str) -> None:
        """Return once all that came in about a member is written."""
        with self._writing:
            if any(news.member == member for news in self._news):
                self._flush()

    def flush(self) -> None:
        """Write all that came in; what cannot be written now is kept."""
        with self._writing:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            news, self._news = self._news, []
        if not news:
            return
        try:
            self._writer.tell(news)
        except (exception.IllegalMove, KeyError):
            self._one_by_one(news)
        except BaseException:  # whoever else waits for it is to know, too
            with self._lock:
                self._news[:0] = news
            raise

    def _one_by_one(self, news: Sequence[records.News]) -> None:
        """Let one that may not be written keep no other from it."""
        for each in news:
            try:
                self._writer.tell([each])
            except (exception.IllegalMove, KeyError) as error:
                LOG.error('Not written of %s: %s', each.member, error)
