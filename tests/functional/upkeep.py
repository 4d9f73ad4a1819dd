# SPDX-License-Identifier: Apache-2.0
"""What stories of built clusters share: how a verb fails, and who goes on.

Each verb is tried with a fault at every one of its calls, and with a death
before every one of its calls and of its writes: there is no other moment.
"""

import collections

from heat_vcluster import exception, states
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, deaths, numbered

ENOUGH = 150
REFUSAL = exception.CloudError('fake', 'it is broken')
IN_PROGRESS = {str(status) for status in states.UPKEEP | states.GIVING_UP}


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

    def made(self, cluster_id):
        """Return how many there are of each of its things."""
        return collections.Counter(
            (thing.kind, thing.owner)
            for thing in self.cloud.open(base.ANN).find(cluster_id)
        )

    def go_through(self, document, verb, attempt, harm):
        """Attempt a verb with trouble at its first, second, ... moment.

        All on one cluster: ``harm(view)`` brings it to where there is
        something to do, and after each attempt it has what it had at first.
        ``attempt(number)`` tells whether there was such a moment. Returns
        how many there are.
        """
        self.cluster = self.build(document)['id']
        self.rest(self.cluster)
        made = self.made(self.cluster)
        for number in range(1, ENOUGH):
            harm(self.show(self.cluster))
            if not attempt(number):
                return number - 1
            self.assertEqual(made, self.made(self.cluster))
            self.assertEqual({}, dict(self.cloud.world.holds))
        self.fail(f'{verb} has more moments than expected')


class FailingCase(UpkeepCase):
    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    def fail_every_call(self, document, verb, judge, harm, **asked):
        """``judge(view)`` tells if it is what it should be after a failure.

        The verb repeated mends it. Returns how often it failed.
        """
        failed = []

        def attempt(number):
            self.cloud.faults.at(number, refuse)
            view = self.do(verb, self.cluster, **asked)
            is_hit = self.cloud.faults.hit is not None
            self.cloud.faults.cancel()
            if is_hit:
                failed.append(view['error_code'] is not None)
                judge(view)
                view = self.do(verb, self.cluster, **asked)
            self.assertIsNone(view['error_code'], view['status_reason'])
            self.rest(self.cluster)
            return is_hit

        self.go_through(document, verb, attempt, harm)
        self.assertIsNone(self.delete(self.cluster))
        self.assert_nothing_left()
        return sum(failed)


def refuse(call):
    raise REFUSAL


class DyingCase(deaths.DeathCase, UpkeepCase):
    """``die_everywhere`` has all heirs go on by a trust of the tenant."""

    trusts = True

    def make_cloud(self):
        return FakeCloud(trusts=self.trusts)

    def die_everywhere(self, document, verb, judge, harm, **asked):
        """``judge(view)`` says what must hold once an heir went on."""

        def act(doomed):
            self.ask(doomed, verb, self.cluster, **asked)

        def die_at_call(number):
            return end(self.die(act, number))

        def die_at_write(number):
            # The first is that which asks for it.
            at = (number + 1, 'before')
            return end(self.die(act, ENOUGH * 10, write=at))

        def end(has_died):
            if self.show(self.cluster)['status'] in IN_PROGRESS:
                self.settle_by_heir()
            judge(self.show(self.cluster))
            return has_died

        for attempt in (die_at_call, die_at_write):
            moments = self.go_through(document, verb, attempt, harm)
            self.assertGreater(moments, 1)
            self.delete_by_heir()
