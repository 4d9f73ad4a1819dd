# SPDX-License-Identifier: Apache-2.0
"""The database is away for a while in the midst of a build."""

import contextlib
import dataclasses
import threading

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.db import connection, writer
from tests.functional import base, documents

ENOUGH = 80
#: One after the other, so that the first is ready when the last is begun.
CHAIN = {
    'instances': [
        documents.server('a'),
        documents.server('b', depends_on=['a']),
        documents.server('c', depends_on=['b']),
    ]
}


class OutageCase(base.EngineTest):
    """``watcher`` sees the database all the time; ``service`` does not."""

    def setUp(self):
        super().setUp()
        self.watcher = self.make_service()
        self.is_away = threading.Event()
        for name in ('reading', 'writing'):
            real = getattr(connection.Database, name)
            self.patch(connection.Database, name, self.guarded(real))
        #: So many writes of the engine to come until it is away; None: it
        #: stays.
        self.writes_left = None
        self.counting = threading.Lock()
        real = writer.Writer._fenced
        self.patch(writer.Writer, '_fenced', self.counted(real))

    def guarded(self, real):
        @contextlib.contextmanager
        def guarded(database):
            is_ours = database is not self.watcher._store._database
            if is_ours and self.is_away.is_set():
                raise exception.ServiceUnavailable('It does not answer')
            with real(database) as lent:
                yield lent

        return guarded

    def counted(self, real):
        def counted(written):
            with self.counting:
                if self.writes_left is not None:
                    self.writes_left -= 1
                    if self.writes_left == 0:
                        self.is_away.set()
                        self.come_back()
            return real(written)

        return counted

    def show(self, cluster_id, context=base.ANN, service=None):
        return super().show(cluster_id, context, service or self.watcher)

    def build_with_outages(self, document):
        """Build again and again, with an outage at each second write."""
        for number in range(1, ENOUGH, 2):
            self.writes_left = number
            cluster = f'00000000-0000-0000-0000-{number:012}'
            with contextlib.suppress(exception.ServiceUnavailable):
                self.create(document, cluster_id=cluster)
            view = self.settle(cluster)
            has_been_away = self.writes_left <= 0
            self.writes_left = None
            self.until(lambda: not self.is_away.is_set(), 'the database')
            self.rest(cluster)
            yield view
            self.assertIsNone(self.delete(cluster))
            self.rest(cluster)
            self.assert_nothing_left()
            if not has_been_away:
                self.assertGreater(number, 10)
                return
        self.fail('a create has more writes than expected')


class ShortOutageTest(OutageCase):
    """It is back before the lease has run out."""

    def come_back(self):
        back = threading.Timer(0.05, self.is_away.clear)
        back.start()
        self.addCleanup(back.join)

    def test_build_goes_on_as_if_nothing_had_been(self):
        for view in self.build_with_outages(CHAIN):
            self.assert_built(CHAIN, view)
            self.assertEqual(1, self.events(view['id']).count('create'))
            self.assertNotIn('rollback', self.events(view['id']))

    def test_failed_build_is_rolled_back_all_the_same(self):
        self.cloud.faults.ruin('server', 'c', times=None)
        for view in self.build_with_outages(CHAIN):
            self.assert_failed(view, 'vcluster.member_failed')
            self.assert_nothing_left()


class LongOutageTest(OutageCase):
    """The lease runs out; whoever goes on finds all as it was."""

    settings = dataclasses.replace(base.FAST, lease_seconds=0.4)

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def come_back(self):
        """Do so when nobody is at work on it any more."""
        back = threading.Thread(target=self.wait_and_come_back, daemon=True)
        back.start()
        self.addCleanup(back.join)

    def wait_and_come_back(self):
        engine = self.service.engine
        self.until(lambda: not engine._background.threads(), 'the end of it')
        self.is_away.clear()

    def test_another_engine_completes_it(self):
        self.service.engine.watch()
        for view in self.build_with_outages(CHAIN):
            self.assert_built(CHAIN, view)

    def test_nothing_is_removed_before_it_is_on_record(self):
        """Also where it is stopped, and not by a failure."""
        self.cloud.faults.stick('server', 'c')
        cluster = self.create(CHAIN)
        self.until(
            lambda: self.show(cluster)['members']['c']['id'], 'the last one'
        )
        before = len(self.cloud.calls)
        self.is_away.set()
        self.service.engine.hurry(cluster)
        self.wait_and_come_back()
        self.assertNotIn('delete', self.calls(before))
        self.assertEqual('CREATING', self.show(cluster)['status'])
        self.cloud.faults.clear()
        self.service.engine.attend()
        self.assert_built(CHAIN, self.settle(cluster))
