# SPDX-License-Identifier: Apache-2.0
"""What stories of built clusters share: how a verb fails, and who goes on.

Each verb is tried with a fault at every one of its calls, and with a death at
every one of its calls and of its writes.
"""

from heat_vcluster import exception, states
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, deaths

ENOUGH = 150
REFUSAL = exception.CloudError('fake', 'it is broken')


class UpkeepCase(base.EngineTest):
    """``do`` has a verb done and waits; ``server`` names a member's."""

    #: A verb of the doors, where the service calls it otherwise.
    CALLED = {'stop': 'stop_servers', 'start': 'start_servers'}

    def ask(self, service, verb, cluster_id, **asked):
        method = getattr(service, self.CALLED.get(verb, verb))
        return method(base.ANN, cluster_id, **asked)

    def do(self, verb, cluster_id, service=None, **asked):
        serve = service or self.service
        self.ask(serve, verb, cluster_id, **asked)
        view = self.settle(cluster_id, service=service)
        self.assert_secret(view)
        return view

    def server(self, view, name):
        return view['members'][name]['id']

    def compliance(self, cluster_id):
        return self.show(cluster_id)['compliance']


class FailingCase(UpkeepCase):
    def fail_every_call(self, prepare, verb, judge, every=1, **asked):
        """A fault at each call, or at ``every`` so many of them.

        ``prepare()`` returns a cluster; ``judge(view)`` tells if it is
        what it should be after a failure, and a repeated verb mends it.
        """
        failed = 0
        for number in range(1, ENOUGH, every):
            cluster_id = prepare()
            count = iter(range(1, ENOUGH * 10))

            def refuse(call, count=count, number=number):
                if next(count) == number:
                    raise REFUSAL

            for name in CALLS:
                self.cloud.faults.before(name, None, refuse, times=None)
            view = self.do(verb, cluster_id, **asked)
            self.cloud.faults.clear()
            is_over = next(count) <= number
            if is_over:
                self.assertIsNone(view['error_code'], view['status_reason'])
            else:
                failed += view['error_code'] is not None
                judge(view)
                view = self.do(verb, cluster_id, **asked)
                self.assertIsNone(view['error_code'], view['status_reason'])
            self.assertEqual({}, dict(self.cloud.world.holds))
            self.assertIsNone(self.delete(cluster_id))
            self.assert_nothing_left()
            if is_over:
                return failed
        self.fail(f'{verb} has more calls than expected')


#: Every call that a cloud takes of an engine at work on a built cluster.
CALLS = (
    'attach_volume',
    'change_power',
    'delete',
    'ensure_floating_ip',
    'ensure_image',
    'ensure_port',
    'ensure_server',
    'ensure_volume_snapshot',
    'find',
    'find_holds',
    'image_state',
    'is_claimed',
    'is_gone',
    'is_moving',
    'locate',
    'migrate',
    'release',
    'reserve',
    'resolve',
    'server_state',
    'shared_hosts',
    'snapshot',
    'volume_snapshot_state',
    'volume_state',
)


class DyingCase(deaths.DeathCase, UpkeepCase):
    """``die_everywhere`` has all heirs go on by a trust of the tenant."""

    trusts = True

    def make_cloud(self):
        return FakeCloud(trusts=self.trusts)

    def die_everywhere(self, prepare, verb, judge, every=1, **asked):
        """``judge(view)`` says what must hold once an heir went on.

        Right after each call and before each write, or ``every`` so many
        of them: to die before a call is to die after what came before it.
        """
        for how, first in (('after', 1), ('write', 2)):
            for number in range(first, ENOUGH, every):
                self.cluster = prepare()
                if not self._die_once(verb, how, number, asked):
                    judge(self.show(self.cluster))
                    self.delete_by_heir()
                    self.assertGreater(number, 3)
                    break
                if self.show(self.cluster)['status'] in IN_PROGRESS:
                    self.settle_by_heir()
                judge(self.show(self.cluster))
                self.delete_by_heir()
            else:
                self.fail(f'{verb} has more moments than expected')

    def _die_once(self, verb, how, number, asked):
        def act(doomed):
            self.ask(doomed, verb, self.cluster, **asked)

        if how == 'write':
            return self.die(act, ENOUGH * 10, write=(number, 'before'))
        return self.die(act, number, at=how)


IN_PROGRESS = {str(status) for status in states.UPKEEP}
