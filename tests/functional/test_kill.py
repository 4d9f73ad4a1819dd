# SPDX-License-Identifier: Apache-2.0
"""A process that builds is killed; another one notices, and cleans up."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import uuid

import fixtures

from heat_vcluster import db, exception
from heat_vcluster.cloud.fake import FakeCloud, calls
from tests.functional import base, deaths, documents, doomed


class LineTest(base.EngineTest):
    """What is asked from afar is answered as it is at home."""

    def setUp(self):
        super().setUp()
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        self.addCleanup(doomed.serve(self.cloud, path))
        self.remote = doomed.RemoteOpener(path).open(base.ANN)

    def test_errors_are_the_same(self):
        for error in (
            exception.CloudForbidden('nova', 'not yours'),
            exception.ReservationConflict('it is gone'),
            exception.NoValidPlacement(['too many'], proven=False),
        ):
            self.cloud.faults.fail('find', error=error)
            told = self.assertRaises(type(error), self.remote.find, 'c')
            self.assertEqual(str(error), str(told))
            self.assertEqual(vars(error), vars(told))

    def test_one_that_is_held_up_holds_up_no_other(self):
        def ask(call):
            answers.append(self.remote.find('c'))

        answers = []
        self.cloud.faults.before('usage', None, ask)
        self.remote.usage()
        self.assertEqual([()], answers)


class KillTest(base.EngineTest):
    """``service`` is the one that lives on, and watches after the death."""

    def begin(self):
        self.cluster = str(uuid.uuid4())
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        self.addCleanup(doomed.serve(self.cloud, path))
        self.process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.functional.doomed',
                path,
                self.url,
                self.cluster,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def kill(self, call):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def story(self):
        self.begin()
        self.assertEqual(-signal.SIGKILL, self.process.wait(self.patience))
        self.service.engine.watch()
        self.until(
            lambda: self.show(self.cluster)['status'] == 'ERROR', 'the watch'
        )
        view = self.show(self.cluster)
        self.assert_failed(view, 'vcluster.interrupted', 'died', 'delete')
        self.assertEqual({}, self.cloud.world.holds)
        self.assertIsNone(self.delete(self.cluster))
        self.assert_nothing_left()
        return view

    def test_killed_right_after_the_hold(self):
        self.cloud.faults.after('reserve', None, self.kill)
        view = self.story()
        self.assertEqual(
            {'DELETED'}, {m['status'] for m in view['members'].values()}
        )

    def test_killed_in_a_hand_over(self):
        self.cloud.faults.after('ensure_server', 'web', self.kill)
        view = self.story()
        self.assertEqual('ACTIVE', view['members']['db']['status'])
        self.assertEqual('ERROR', view['members']['web']['status'])

    def test_not_killed_it_builds(self):
        self.begin()
        self.assertEqual(0, self.process.wait(self.patience))
        self.assertEqual('ACTIVE', self.process.stdout.read().split()[-1])
        self.assert_built(documents.SMALL, self.show(self.cluster))


class ProcessCase(deaths.DeathCase):
    """``process`` builds ``document``; it is forked, and quick to begin."""

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def start(self, at, begin=doomed.begin):
        """Begin to build, and to die at a task; return what cuts the line."""
        self.cluster = str(uuid.uuid4())
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 's')
        close = doomed.serve(self.cloud, path)
        self.process = begin(at, path, self.url, self.cluster, self.document)
        return close


class KillEverywhereTest(ProcessCase):
    """The web cluster, its process killed at every task boundary."""

    document = documents.of_template('web_cluster.yaml')
    tasks = 35

    def begin(self, at):
        close = self.start(at)
        self.process.join(self.patience)
        close()
        return self.process.exitcode

    def go_on(self):
        """Let another engine do what is due; the cluster is complete then."""
        finished = self.finished()
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        self.assert_built(self.document, self.show(self.cluster))
        self.assertEqual(finished, finished & self.finished())
        made = [
            (thing.kind, thing.owner)
            for thing in self.cloud.open(base.ANN).find(self.cluster)
        ]
        self.assertEqual(len({*made}), len(made))
        self.heir.delete(base.ANN, self.cluster)
        self.assertIsNone(self.settle(self.cluster, service=self.heir))
        self.assert_nothing_left()

    def finished(self):
        members = self.show(self.cluster)['members'].values()
        return {m['id'] for m in members if m['status'] == 'ACTIVE'}

    def every_boundary(self, moment):
        for number in range(1, self.tasks + 1):
            self.assertEqual(-signal.SIGKILL, self.begin((number, moment)))
            self.go_on()
        self.assertEqual(0, self.begin((self.tasks + 1, moment)))

    def test_killed_before_a_task_is_written_down(self):
        self.every_boundary('before')

    def test_killed_after_a_task_is_written_down(self):
        self.every_boundary('after')


class StandstillTest(ProcessCase):
    """A process stands still; when it wakes, its cluster is another's."""

    document = documents.SMALL

    def stand_still_at(self, call):
        stopped = threading.Event()

        def stop(call):
            os.kill(self.process.pid, signal.SIGSTOP)
            # Until the one thread that hears it has its turn others go on.
            self.until(self.stands_still, 'the standstill')
            stopped.set()

        self.cloud.faults.before(call, 'web', stop)
        self.addCleanup(self.start(None))
        self.addCleanup(self.process.kill)
        self.assertTrue(stopped.wait(self.patience))
        self.assertEqual([], self.wake_too_late())

    def stand_still_before(self, call, member=None):
        """Let it stop between what it asks itself and what it then does."""
        close = self.start((call, member), doomed.begin_and_stop)
        self.addCleanup(self.process.kill)
        self.until(self.stands_still, 'the standstill')
        self.assertEqual([], self.calls_of_change(self.wake_too_late()))
        close()
        self.heir.delete(base.ANN, self.cluster)
        self.assertIsNone(self.settle(self.cluster, service=self.heir))
        self.assert_nothing_left()

    def calls_of_change(self, made):
        return [call.name for call in made if call.name in calls.CHANGES]

    def wake_too_late(self):
        """Let it wake when all is done; return what it then calls."""
        # By its own clock, too, the lease is over when it wakes.
        now = db.Store(self.url)
        self.addCleanup(now.close)
        self.until(now.unattended, 'the end of the lease')
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        view = self.show(self.cluster)
        self.assert_built(self.document, view)
        before = len(self.cloud.calls)
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.join(self.patience)
        self.assertEqual(0, self.process.exitcode)
        self.assertEqual(view, self.show(self.cluster))
        self.assert_built(self.document, view)
        return [*self.cloud.calls[before:]]

    def stands_still(self):
        threads = pathlib.Path(f'/proc/{self.process.pid}/task').iterdir()
        states = (
            (thread / 'stat').read_text().rpartition(') ')[2][0]
            for thread in threads
        )
        return all(state == 'T' for state in states)

    def test_it_writes_nothing_more(self):
        self.stand_still_at('ensure_server')

    def test_it_asks_the_cloud_for_nothing_more(self):
        self.stand_still_at('is_claimed')

    def test_it_holds_nothing_more(self):
        self.stand_still_before('reserve')

    def test_it_makes_no_server_group_more(self):
        self.stand_still_before('ensure_server_group')

    def test_it_makes_no_server_more(self):
        self.stand_still_before('ensure_server', 'web')
