# SPDX-License-Identifier: Apache-2.0
"""The engine at work on a built cluster is killed: another one goes on."""

import collections
import os
import signal

from tests.functional import changed, changes, servers
from tests.servers import test_engines


class KilledChange(test_engines.Installation, changes.ChangeCase):
    """``view`` is of a cluster that two engines look after."""

    def setUp(self):
        super().setUp()
        self.open()
        self.cloud.add_security_group('alpha', 'open')
        cluster = self.client.create(changed.BEFORE)['id']
        self.view = self.settle(cluster)
        self.assert_is(self.view)
        self.owners = []

    def kill_after(self, call, member):
        """Let whoever has made a call for a member die of it."""
        self.cloud.faults.after(call, member, self.kill_owner)

    def kill_owner(self, call):
        owner = self.service._store.get_cluster(self.view['id']).owner
        pid = int(owner.split(':')[1])
        (victim,) = (each for each in self.running if each.pid == pid)
        os.kill(pid, signal.SIGKILL)
        victim.join()
        self.owners.append(pid)

    def update(self):
        """Become another one; return what it is in the end."""
        self.client.update(self.view['id'], document=changed.AFTER)
        return self.settle_by_another()

    def settle_by_another(self):
        """Wait; one engine has died, and nothing of its is left."""
        view = self.settle(self.view['id'])
        self.assertEqual(1, len(self.owners))
        self.assert_board_empty()
        self.assert_whole(view)
        made = collections.Counter(
            (thing.kind, thing.owner)
            for thing in self.cloud.open(changes.base.ANN).find(view['id'])
        )
        self.assertEqual({1}, {*made.values()})
        return view

    def assert_new(self, view):
        self.assert_is(view, 'net', 'data', 'more', 'db', 'web')
        self.assertEqual([], self.broken_now(changed.AFTER, view))
        self.assertNotIn('failed', self.events(view['id']))

    def delete_all_there_is(self):
        self.delete_all([self.view['id']])
        self.assert_nothing_left()


class BackMixin:
    def test_on_its_way_back_it_is_as_before(self):
        before = self.things()
        self.cloud.faults.ruin('server', 'db~1', reason='no disk')
        self.kill_after('delete', 'db~1')
        view = self.update()
        self.assertIn('member db: no disk', view['status_reason'])
        self.assertEqual(self.view['members'], view['members'])
        self.assertEqual(self.view['instances'], view['instances'])
        self.assertEqual(before, self.things())
        self.delete_all_there_is()


class ForwardMixin:
    def test_on_its_way_forward_it_is_gone_on_with(self):
        self.kill_after('ensure_server', 'db~1')
        self.assert_new(self.update())
        self.delete_all_there_is()

    def test_while_what_went_is_removed_the_rest_is(self):
        self.kill_after('delete', 'extra')
        self.assert_new(self.update())
        self.delete_all_there_is()

    def test_healing_is_gone_on_with(self):
        for name in ('web', 'extra'):
            self.cloud.lose(self.view['members'][name]['id'])
        self.kill_after('ensure_server', 'web')
        self.client.heal(self.view['id'])
        view = self.settle_by_another()
        self.assert_is(view, *self.view['members'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.delete_all_there_is()


class RedisAndMariaDBTest(ForwardMixin, BackMixin, KilledChange):
    board_kind = servers.Redis
    kind = servers.MariaDB


class EtcdAndPostgreSQLTest(BackMixin, KilledChange):
    board_kind = servers.Etcd
    kind = servers.PostgreSQL
