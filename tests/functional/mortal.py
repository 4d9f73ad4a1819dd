# SPDX-License-Identifier: Apache-2.0
"""A store that dies together with the process that the fake cloud kills."""

import functools
import threading

from heat_vcluster import db
from heat_vcluster.cloud.fake import CloudDeath


class MortalStore(db.Store):
    """One process's view of a store; ``faults`` decide when it ends.

    Give each process of a story its own, on the same URL; ``bury`` the dead
    one before ``faults.revive``, or it would come back to life.
    """

    def __init__(self, url, faults, *, write=None, **options):
        """``write``: the process dies at its n-th write, right before that
        (``(n, 'before')``) or right after (``(n, 'after')``).
        """
        super().__init__(url, **options)
        self._faults = faults
        self._is_buried = False
        self._dies_at, self._moment = write or (None, None)
        self._writes = 0
        self._counting = threading.Lock()

    def bury(self):
        self._is_buried = True

    def _check(self):
        if self._is_buried or self._faults.is_dead:
            raise CloudDeath('a dead process writes nothing')

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

    def _write(self, write, *args, **kwargs):
        with self._counting:
            self._check()
            self._writes += 1
            is_last = self._writes == self._dies_at
            if is_last and self._moment == 'before':
                self._faults.die()
            done = write(*args, **kwargs)
            if is_last:
                self._faults.die()
            return done


class MortalWriter:
    def __init__(self, store, writer):
        self._store = store
        self._writer = writer

    def __getattr__(self, name):
        self._store._check()
        return functools.partial(
            self._store._write, getattr(self._writer, name)
        )
