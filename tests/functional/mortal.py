# SPDX-License-Identifier: Apache-2.0
"""A store that dies together with the process that the fake cloud kills."""

from heat_vcluster import db
from heat_vcluster.cloud.fake import CloudDeath


class MortalStore(db.Store):
    """One process's view of a store; ``faults`` decide when it ends.

    Give each process of a story its own, on the same URL; ``bury`` the dead
    one before ``faults.revive``, or it would come back to life.
    """

    def __init__(self, url, faults, **options):
        super().__init__(url, **options)
        self._faults = faults
        self._is_buried = False

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


class MortalWriter:
    def __init__(self, store, writer):
        self._store = store
        self._writer = writer

    def __getattr__(self, name):
        self._store._check()
        return getattr(self._writer, name)
