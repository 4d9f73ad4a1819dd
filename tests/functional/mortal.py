# SPDX-License-Identifier: Apache-2.0
"""A store that dies together with the process that the fake cloud kills."""

import threading

from heat_vcluster import db
from heat_vcluster.cloud.fake import CloudDeath


class MortalStore(db.Store):
    """One process's view of a store; ``faults`` decide when it ends.

    Give each process of a story its own, on the same URL; ``bury`` the dead
    one before ``faults.revive``, or it would come back to life.
    """

    def __init__(self, url, faults, *, dies_at_write=None, **options):
        super().__init__(url, **options)
        self._faults = faults
        self._is_buried = False
        self._writes_left = dies_at_write
        self._lock = threading.Lock()

    def bury(self):
        self._is_buried = True

    def _check(self):
        if self._is_buried or self._faults.is_dead:
            raise CloudDeath('a dead process writes nothing')

    def count_write(self):
        """Die before the n-th write of an engine, if one is to be fatal."""
        with self._lock:
            if self._writes_left is not None:
                self._writes_left -= 1
                if not self._writes_left:
                    self._faults.crash()
        self._check()

    def _rows(self, statement):
        self._check()
        return super()._rows(statement)

    def _open(self):
        # All that touches the database comes through here, but the writes
        # of a writer made before: those go by the same database.
        self._check()
        return super()._open()

    def writer(self, lease):
        return MortalWriter(self, super().writer(lease))


class MortalWriter:
    def __init__(self, store, writer):
        self._store = store
        self._writer = writer

    def __getattr__(self, name):
        self._store.count_write()
        return getattr(self._writer, name)
