# SPDX-License-Identifier: Apache-2.0
from unittest import mock

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, made, pace

KIND = model.Kind.SERVER
OWNER = model.Owner('c', 'web-0')


class MadeTest(testtools.TestCase):
    """A cloud of bodies by id, whose answers may get lost."""

    def setUp(self):
        super().setUp()
        self.things = {}
        self.lists = 0
        self.trouble = []
        self.made = made.Made(self.list, 30.0)
        # The waits between attempts are not what is tested here.
        patch = mock.patch.object(pace.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def list(self, kind, cluster_id):
        self.lists += 1
        return [
            model.Thing(kind, body['id'], body['owner'])
            for body in self.things.values()
        ]

    def create(self):
        body = {'id': f'id-{len(self.things)}', 'owner': OWNER}
        error, arrives = self.trouble.pop() if self.trouble else (None, True)
        if arrives:
            self.things[body['id']] = body
        if error:
            raise error
        return body

    def ensure(self, owner=OWNER):
        return self.made.ensure(KIND, owner, self.things.get, self.create)

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
