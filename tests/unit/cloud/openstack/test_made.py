# SPDX-License-Identifier: Apache-2.0
import threading
from unittest import mock

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, made, pace

KIND = model.Kind.SERVER
OWNER = model.Owner('c', 'web-0')
OTHER = model.Owner('c', 'web-1')


def nothing():
    pass


class Another:
    """Another thread at ``work(pause)``; waits where it pauses."""

    def __init__(self, work):
        self._has_paused = threading.Event()
        self._may_go_on = threading.Event()
        self._thread = threading.Thread(target=work, args=[self._pause])
        self._thread.start()
        self._has_paused.wait()

    def _pause(self):
        self._has_paused.set()
        self._may_go_on.wait()

    def let_end(self):
        self._may_go_on.set()
        self._thread.join()


class MadeTest(testtools.TestCase):
    """A cloud of bodies by id, whose answers may get lost."""

    def setUp(self):
        super().setUp()
        self.things = {}
        self.lists = 0
        self.trouble = []
        self.meanwhile = []
        self.made = made.Made(self.list, 30.0)
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def list(self, kind, cluster_id):
        self.lists += 1
        found = [
            model.Thing(kind, body['id'], body['owner'])
            for body in self.things.values()
        ]
        if self.meanwhile:
            self.meanwhile.pop()()
        return found

    def create(self, owner=OWNER):
        body = {'id': f'id-{len(self.things)}', 'owner': owner}
        error, arrives = self.trouble.pop() if self.trouble else (None, True)
        if arrives:
            self.things[body['id']] = body
        if error:
            raise error
        return body

    def ensure(self, owner=OWNER, before_end=nothing):
        def create():
            body = self.create(owner)
            before_end()
            return body

        return self.made.ensure(KIND, owner, self.things.get, create)

    def owners(self):
        return sorted(body['owner'].member for body in self.things.values())

    def test_second_time_returns_the_first(self):
        first = self.ensure()
        self.assertIs(first, self.ensure())
        self.assertEqual(1, len(self.things))
        self.assertEqual(1, self.lists)

    def test_thing_of_an_earlier_run_is_found(self):
        self.things['old'] = {'id': 'old', 'owner': OWNER}
        self.assertEqual('old', self.ensure()['id'])

    def test_thing_that_is_gone_is_made_again(self):
        first = self.ensure()
        self.things.clear()
        self.things['other'] = {'id': 'other', 'owner': None}
        self.assertNotEqual(first['id'], self.ensure()['id'])

    def test_one_that_failed_does_not_hide_another(self):
        for name in ('failed', 'good', 'also-failed'):
            self.things[name] = {'id': name, 'owner': OWNER}
        found = self.made.ensure(
            KIND,
            OWNER,
            lambda thing_id: (
                self.things[thing_id] if thing_id == 'good' else None
            ),
            self.create,
        )
        self.assertEqual('good', found['id'])

    def test_lost_answer_does_not_make_two(self):
        self.trouble = [(errors.Unclear('nova', 'lost'), True)]
        self.assertEqual('id-0', self.ensure()['id'])
        self.assertEqual(1, len(self.things))

    def test_what_others_make_meanwhile_does_not_hide_a_lost_one(self):
        """Another thread's is ready while the list is read again."""
        self.ensure(model.Owner('c', 'web-2'))
        other = Another(lambda pause: self.ensure(OTHER, pause))
        self.trouble = [(errors.Unclear('nova', 'lost'), True)]
        self.meanwhile = [other.let_end]
        self.ensure()
        self.ensure(OTHER)
        self.assertEqual(['web-0', 'web-1', 'web-2'], self.owners())

    def test_list_begun_before_does_not_stand_for_a_lost_one(self):
        """Another thread has read the list when the answer gets lost."""

        def list_slowly(pause):
            self.meanwhile = [pause]
            self.ensure(OTHER)

        other = Another(list_slowly)
        self.trouble = [(errors.Unclear('nova', 'lost'), True)]
        # The first list of its own is like any other.
        self.meanwhile = [other.let_end, nothing]
        self.ensure()
        self.assertEqual(['web-0', 'web-1'], self.owners())

    def test_lost_request_is_sent_again(self):
        self.trouble = [(errors.Unclear('nova', 'lost'), False)]
        self.assertEqual('id-0', self.ensure()['id'])

    def test_trouble_that_stays_is_told(self):
        lost = (errors.Unclear('nova', 'lost'), False)
        self.trouble = [lost] * 1000
        self.assertRaises(errors.Unclear, self.ensure)
        self.assertNotEqual([], self.trouble)

    def test_refusal_is_final(self):
        self.trouble = [(exception.QuotaExceeded('nova', 'no'), False)]
        self.assertRaises(exception.QuotaExceeded, self.ensure)
        self.assertEqual({}, self.things)
