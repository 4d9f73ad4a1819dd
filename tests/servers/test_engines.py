# SPDX-License-Identifier: Apache-2.0
"""Whole installations: an API, several engines, real servers, and kill -9.

What is drawn by lot is told, as ``seed``, when a test fails.
"""

import collections
import dataclasses
import os
import random
import signal

import fixtures
from keystoneauth1 import adapter, session, token_endpoint
from testtools import content

from heat_vcluster import http
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.engine import jobs
from tests.functional import api, base, documents, doomed, servers
from tests.servers import crew, test_databases

CLUSTERS = 8
KILLS = 6
#: So many calls to the cloud are between two kills, at most.
CALLS = 60


class Installation(test_databases.ServerMixin, base.EngineTest):
    """``client`` asks the API; ``service`` only looks."""

    engines = 2
    #: Short, for the heirs of the killed to begin soon.
    lease_seconds = 3.0
    # It would take up what the killed leave: that is for the others to do.
    settings = dataclasses.replace(base.FAST, watch_interval=3600.0)

    def setUp(self):
        self.board_kind.require()
        super().setUp()
        board = self.useFixture(self.board_kind())
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 's')
        self.addCleanup(doomed.serve(self.cloud, path))
        self.service.ping()  # the tables are there
        self.place = (path, self.url, board.configuration)
        self.line = jobs.Jobs(board.configuration, 1.0)
        self.addCleanup(self.line.close)

    def open(self):
        """Begin with all processes."""
        self.running = [self.hire() for _ in range(self.engines)]
        self.client = self.open_api()

    def make_cloud(self):
        return FakeCloud(racks=4, hosts_per_rack=4, trusts=True)

    def hire(self):
        process = crew.begin_engine(*self.place, self.lease_seconds)
        self.addCleanup(process.join)
        self.addCleanup(process.kill)
        return process

    def open_api(self):
        process, address = crew.begin_api(*self.place, self.lease_seconds)
        self.addCleanup(process.join)
        self.addCleanup(process.kill)
        auth = token_endpoint.Token(f'{address}/v2/alpha', api.ANN)
        return http.HttpClient(
            adapter.Adapter(session.Session(auth), 'vcluster')
        )

    def create_all(self):
        return [
            self.client.create(documents.SMALL)['id'] for _ in range(CLUSTERS)
        ]

    def delete_all(self, clusters):
        for cluster in clusters:
            self.client.delete(cluster)
        for cluster in clusters:
            self.until(lambda c=cluster: self.show(c) is None, cluster)

    def assert_active(self, clusters):
        """Each is whole, and has nothing twice."""
        for cluster in clusters:
            view = self.settle(cluster)
            self.assertEqual('ACTIVE', view['status'], view['status_reason'])
            self.assertEqual([], self.broken(documents.SMALL, cluster))
            made = collections.Counter(
                (thing.kind, thing.owner)
                for thing in self.cloud.open(base.ANN).find(cluster)
            )
            self.assertEqual((10, {1}), (len(made), set(made.values())))
        self.assertEqual({}, dict(self.cloud.world.holds))

    def assert_board_empty(self):
        with self.line._talking() as board:
            self.until(lambda: board.job_count == 0, 'the end of the jobs')


class QuietMixin:
    def test_each_job_is_done_once(self):
        # Whoever is late only, on a busy machine, is not to have an heir.
        self.lease_seconds = base.FAST.lease_seconds
        self.open()
        clusters = self.create_all()
        self.assert_active(clusters)
        self.assert_board_empty()
        for cluster in clusters:
            begun = [kind for kind in self.events(cluster) if kind == 'create']
            self.assertEqual(1, len(begun))
        self.assertEqual(CLUSTERS, self.calls()['reserve'])
        self.delete_all(clusters)
        self.assert_board_empty()
        self.assert_nothing_left()


class KilledMixin:
    def test_whoever_is_killed_whenever_others_go_on(self):
        seed = random.randrange(10**6)
        self.addDetail('seed', content.text_content(str(seed)))
        dice = random.Random(seed)
        self.open()
        clusters = self.create_all()
        doomed_ones = dice.sample(clusters, 2)
        for number in range(KILLS):
            self.pass_calls(dice.randrange(CALLS), clusters)
            if number == KILLS // 2:
                for cluster in doomed_ones:
                    self.client.delete(cluster)
            victim = self.running.pop(dice.randrange(len(self.running)))
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            self.running.append(self.hire())
        for cluster in doomed_ones:
            self.until(lambda c=cluster: self.show(c) is None, cluster)
        left = [one for one in clusters if one not in doomed_ones]
        self.assert_active(left)
        self.assert_board_empty()
        self.delete_all(left)
        self.assert_board_empty()
        self.assert_nothing_left()

    def pass_calls(self, number, clusters):
        """Wait for so many calls to the cloud, or that there are no more."""
        until = len(self.cloud.calls) + number
        self.until(
            lambda: (
                len(self.cloud.calls) >= until
                or all(self.is_over(cluster) for cluster in clusters)
            ),
            'calls',
        )

    def is_over(self, cluster):
        view = self.show(cluster)
        return view is None or view['status'] == 'ACTIVE'


class RedisAndMariaDBTest(QuietMixin, KilledMixin, Installation):
    board_kind = servers.Redis
    kind = servers.MariaDB
    engines = 3


class EtcdAndMariaDBTest(QuietMixin, KilledMixin, Installation):
    board_kind = servers.Etcd
    kind = servers.MariaDB


class RedisAndPostgreSQLTest(QuietMixin, KilledMixin, Installation):
    board_kind = servers.Redis
    kind = servers.PostgreSQL


class EtcdAndPostgreSQLTest(QuietMixin, KilledMixin, Installation):
    board_kind = servers.Etcd
    kind = servers.PostgreSQL
    engines = 3
