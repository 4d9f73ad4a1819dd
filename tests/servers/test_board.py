# SPDX-License-Identifier: Apache-2.0
"""Work that is asked for in one process and done in another, by a board."""

import os
import signal
import threading

import fixtures

from heat_vcluster import context, db, deploy, exception
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.engine import jobs, worker
from tests.functional import base, deaths, documents, doomed, servers


class CountingJobs(jobs.Jobs):
    renewals = 0

    def extend(self, job):
        super().extend(job)
        self.renewals += 1


class BoardStories:
    """``service`` only asks; each worker stands for a process."""

    def setUp(self):
        self.server.require()
        super().setUp()

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def make_service(self, **options):
        self.board = self.useFixture(self.server())
        return super().make_service(board=self.line(), **options)

    def line(self, claim_seconds=30.0, kind=jobs.Jobs):
        line = kind(self.board.configuration, claim_seconds)
        self.addCleanup(line.close)
        return line

    def hire(self, line=None, at_once=2):
        """Begin with a worker, with an engine and a board of its own."""
        service = deploy.assemble(
            self.cloud, database=self.url, settings=self.settings
        )
        hired = worker.Worker(
            service.engine,
            line or self.line(),
            at_once=at_once,
            poll_seconds=0.02,
        )
        threading.Thread(target=hired.run, daemon=True).start()
        self.addCleanup(hired.stop, 5.0)
        return hired

    def die(self, line):
        """End a process with this line; most boards do not notice."""

    def assert_board_empty(self):
        line = self.line()
        with line._talking() as board:
            self.until(lambda: board.job_count == 0, 'the end of the jobs')

    def test_one_asks_and_another_builds_and_removes(self):
        self.hire()
        view = self.build(documents.SMALL)
        self.assert_built(documents.SMALL, view)
        self.assert_board_empty()
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()
        self.assert_board_empty()

    def test_job_tells_which_cluster_and_which_request(self):
        cluster = self.service.create(
            context.Context('alpha', 'ann', auth='secret', request_id='req-1'),
            documents.SMALL,
        )['id']
        job = self.line().claim('me')
        self.assertEqual(
            {'cluster_id': cluster, 'request_id': 'req-1'}, job.details
        )

    def test_without_a_trust_nothing_is_begun(self):
        self.cloud.has_trusts = False
        self.assertRaises(exception.TrustRefused, self.create, documents.SMALL)
        self.assertEqual([], list(self.service.list(base.ANN)))
        self.assertIsNone(self.line().claim('me'))

    def test_job_that_is_posted_twice_is_done_once(self):
        cluster = self.create(documents.SMALL)
        self.service.engine.begin(cluster, base.ANN)
        self.hire()
        self.hire()
        self.assert_built(documents.SMALL, self.settle(cluster))
        self.assert_board_empty()
        self.assertEqual(1, self.calls()['reserve'])

    def test_delete_stops_what_another_builds(self):
        self.cloud.faults.stick('server', 'web')
        cluster = self.create(documents.SMALL)
        self.hire()
        self.until(
            lambda: 'building' in repr(self.cloud.leftovers()), 'the server'
        )
        self.assertIsNone(self.delete(cluster))
        self.assert_nothing_left()
        self.assert_board_empty()

    def test_claim_lasts_as_long_as_the_work(self):
        # Often enough, for a busy machine not to miss its time.
        self.patch(worker, 'RENEWALS', 12)
        line = self.line(claim_seconds=4.0, kind=CountingJobs)
        self.cloud.faults.stick('server', 'web')
        cluster = self.create(documents.SMALL)
        # It has no time to claim it once more.
        self.hire(line, at_once=1)
        self.until(lambda: line.renewals > 14, 'the life of a claim')
        self.assertIsNone(self.line().claim('another'))
        self.cloud.faults.clear()
        self.assert_built(documents.SMALL, self.settle(cluster))
        self.assert_board_empty()

    def test_claim_of_the_dead_runs_out(self):
        cluster = self.create(documents.SMALL)
        line = self.line(claim_seconds=1.0)
        self.assertIsNotNone(line.claim('the dead'))
        self.die(line)
        self.hire()
        self.assert_built(documents.SMALL, self.settle(cluster))
        self.assert_board_empty()

    def test_worker_that_stops_hands_over(self):
        self.cloud.faults.stick('server', 'web')
        cluster = self.create(documents.SMALL)
        first = self.hire()
        self.until(
            lambda: (
                self.show(cluster)['members']['web']['status'] == 'BUILDING'
                and 'web' in self.cloud.places(cluster)
            ),
            'the last member',
        )
        first.stop(self.patience)
        view = self.show(cluster)
        self.assertEqual('CREATING', view['status'])
        made = {name: m['id'] for name, m in view['members'].items()}
        self.cloud.faults.clear()
        self.hire()
        view = self.settle(cluster)
        self.assert_built(documents.SMALL, view)
        self.assertEqual(
            made, {name: m['id'] for name, m in view['members'].items()}
        )
        self.assert_board_empty()

    def test_worker_that_is_killed_has_an_heir(self):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        self.addCleanup(doomed.serve(self.cloud, path))
        process = doomed.begin_work(path, self.url, self.board.configuration)
        self.addCleanup(process.kill)
        self.cloud.faults.after(
            'ensure_server', 'web', lambda call: process.kill()
        )
        cluster = self.create(documents.SMALL)
        process.join(self.patience)
        self.assertEqual(-signal.SIGKILL, process.exitcode)
        self.assertEqual('CREATING', self.show(cluster)['status'])
        self.hire()
        self.assert_built(documents.SMALL, self.settle(cluster))
        self.assert_board_empty()

    def test_what_the_board_loses_is_found(self):
        self.board.stop()
        cluster = self.create(documents.SMALL)
        self.assertEqual('PLANNING', self.show(cluster)['status'])
        # The watch waits a while for whoever may be about to begin.
        heir = self.assemble_later()
        heir.engine.attend()
        self.rest(cluster, heir)
        self.assert_built(documents.SMALL, self.show(cluster))

    def assemble_later(self):
        self.patch(
            deploy.db, 'Store', lambda url: db.Store(url, clock=deaths.later)
        )
        heir = deploy.assemble(
            self.cloud, database=self.url, settings=self.settings
        )
        self.addCleanup(heir.stop, 5.0)
        return heir


class RedisTest(BoardStories, base.EngineTest):
    server = servers.Redis


class EtcdTest(BoardStories, base.EngineTest):
    server = servers.Etcd


class ZooKeeperTest(BoardStories, base.EngineTest):
    server = servers.ZooKeeper

    def die(self, line):
        line.close()  # and with it its session, which claims last as long as
