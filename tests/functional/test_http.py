# SPDX-License-Identifier: Apache-2.0
"""Over HTTP every verb answers as in the process, errors included."""

import uuid

from keystoneauth1 import adapter, session, token_endpoint

from heat_vcluster import direct, exception, http
from tests.functional import api, base, documents, served

CROWD = documents.servers(200, documents.APART)


class HttpTest(served.ServedTest):
    def setUp(self):
        super().setUp()
        self.there = self.client()
        self.here = direct.DirectClient(self.service, base.ANN)

    def client(self, token=api.ANN, project_id='alpha'):
        auth = token_endpoint.Token(f'{self.address}/v2/{project_id}', token)
        asking = adapter.Adapter(session.Session(auth), 'vcluster')
        return http.HttpClient(asking, patience=0.0)


class VerbsTest(HttpTest):
    def assert_same(self, verb, *arguments, **options):
        """The verb has an answer, and the same one by both ways."""
        here = getattr(self.here, verb)(*arguments, **options)
        there = getattr(self.there, verb)(*arguments, **options)
        self.assertEqual(_plain(here), _plain(there))
        self.assertTrue(there)

    def test_what_is_there_is_shown_alike(self):
        cluster_id = self.build(documents.SMALL, tags=['x'])['id']
        self.assert_same('show', cluster_id)
        self.assert_same('list')
        self.assert_same('list', name='small', tags=['x'], sort='name:desc')
        self.assert_same('members', cluster_id)
        self.assert_same('member', cluster_id, 'db')
        self.assert_same('events', cluster_id)
        self.assert_same('events', cluster_id, 3, 2)
        self.assert_same('topology', cluster_id)
        self.assert_same('limits')
        self.assert_same('plan', documents.SMALL)
        self.assert_same('plan', CROWD)

    def test_a_cluster_lives_and_dies(self):
        cluster_id = str(uuid.uuid4())
        for _ in 'twice':
            view = self.there.create(
                documents.SMALL,
                cluster_id=cluster_id,
                name='shop',
                timeout=599.5,
                metadata={'a': 'b'},
                tags=('x', 'y'),
            )
            self.assertEqual((cluster_id, 'shop'), (view['id'], view['name']))
        view = self.settle(cluster_id)
        self.assert_built(documents.SMALL, view)
        self.assertEqual({'a': 'b'}, view['metadata'])

        changed = self.there.update(cluster_id, tags=[], name='shop-2')
        self.assertEqual(('shop-2', []), (changed['name'], changed['tags']))
        self.assertEqual({'a': 'b'}, changed['metadata'])

        self.there.delete(cluster_id)
        self.until(lambda: self.show(cluster_id) is None, 'the end')
        self.assert_nothing_left()

    def test_a_cluster_is_given_up_and_adopted_again(self):
        document = documents.servers(2, documents.APART)
        view = self.build(document)
        members = {n: m['id'] for n, m in view['members'].items()}
        self.there.release(view['id'])
        self.until(lambda: self.show(view['id']) is None, 'the end')
        planned = self.there.plan_adoption(document, members)
        self.assertEqual('COMPLIANT', planned['compliance']['status'])
        again = self.settle(self.there.adopt(document, members)['id'])
        self.assert_built(document, again)
        self.assertEqual(
            members, {n: m['id'] for n, m in again['members'].items()}
        )
        self.there.release(again['id'])
        self.until(lambda: self.show(again['id']) is None, 'the end')
        together = documents.group('affinity', 'm', scope='host')
        error = self.assertRaises(
            exception.RulesBroken,
            self.there.adopt,
            documents.servers(2, together),
            members,
        )
        self.assertEqual(1, len(error.reasons))
        self.assertIn('does not hold for m-0, m-1', str(error))

    def test_a_cluster_is_checked(self):
        cluster_id = self.build(documents.SMALL)['id']
        self.assertEqual('CHECKING', self.there.check(cluster_id)['status'])
        view = self.settle(cluster_id)
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assert_same('show', cluster_id)

    def test_its_servers_are_stopped_and_made_again(self):
        cluster_id = self.build(documents.SMALL)['id']
        for verb, doing, done in (
            ('stop', 'STOPPING', 'STOPPED'),
            ('start', 'STARTING', 'ACTIVE'),
            ('suspend', 'SUSPENDING', 'SUSPENDED'),
            ('resume', 'RESUMING', 'ACTIVE'),
            ('heal', 'HEALING', 'ACTIVE'),
        ):
            view = getattr(self.there, verb)(cluster_id)
            self.assertEqual(doing, view['status'])
            self.assertEqual(done, self.settle(cluster_id)['status'])

    def test_it_is_repaired(self):
        view = self.build(documents.servers(2, documents.APART))
        places = self.cloud.places(view['id'])
        self.cloud.migrate(view['members']['m-0']['id'], places['m-1'])
        self.assert_same('plan_repair', view['id'])
        self.assertEqual(1, len(self.there.plan_repair(view['id'])['moves']))
        self.assertEqual(
            'REPAIRING', self.there.repair(view['id'], cold=True)['status']
        )
        view = self.settle(view['id'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])

    def test_it_is_copied_and_restored(self):
        view = self.build(documents.SMALL)
        made = self.there.create_snapshot(view['id'], name='before')
        self.assertEqual('CREATING', made['status'])
        self.settle(view['id'])
        self.assert_same('snapshots', view['id'])
        self.assert_same('snapshot', view['id'], made['id'])
        self.assertEqual(
            'UPDATING', self.there.restore(view['id'], made['id'])['status']
        )
        self.settle(view['id'])
        self.there.delete_snapshot(view['id'], made['id'])
        self.settle(view['id'])
        self.assertEqual([], self.there.snapshots(view['id']))
        self.assertRaises(
            exception.SnapshotNotFound,
            self.there.snapshot,
            view['id'],
            made['id'],
        )

    def test_a_plan_is_held_and_built_or_given_back(self):
        plan = self.there.plan(documents.servers(2), hold_seconds=600)
        self.assertEqual(plan, self.there.show_plan(plan['id']))
        self.there.release_plan(plan['id'])
        self.assertRaises(
            (exception.PlanNotFound, exception.PlanExpired),
            self.there.show_plan,
            plan['id'],
        )

        plan = self.there.plan(documents.servers(2), hold_seconds=600)
        self.there.create_planned(plan['id'], name='planned')
        self.assertEqual('ACTIVE', self.settle(plan['id'])['status'])

    def test_a_document_may_be_text(self):
        view = self.there.create(
            '{vcluster: {instances: '
            '[{name: data, type: volume, spec: {size: 1}}]}}'
        )
        self.assertEqual(['data'], [*view['members']])

    def test_what_is_checked_is_not_made(self):
        self.assertIsNone(self.there.validate(documents.SMALL))
        self.assertEqual([], [*self.there.list()])


class ErrorsTest(HttpTest):
    def assert_same(self, kind, verb, *arguments, **options):
        errors = [
            self.assertRaises(
                kind, getattr(client, verb), *arguments, **options
            )
            for client in (self.here, self.there)
        ]
        here, there = errors
        self.assertIs(type(here), type(there))
        self.assertEqual((here.code, str(here)), (there.code, str(there)))
        self.assertTrue(there.request_id.startswith('req-'), there.request_id)
        return there

    def test_faults_come_back_with_their_places(self):
        wrong = {
            'instances': [
                documents.server('a', image=None, nonsense=1),
                documents.server('a'),
            ]
        }
        for verb in ('validate', 'plan', 'create'):
            error = self.assert_same(exception.InvalidDocument, verb, wrong)
            self.assertIn(
                'instances[0].spec.nonsense',
                [fault.path for fault in error.faults],
            )

    def test_a_repeated_key_is_refused_before_it_is_lost(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.there.create,
            'instances: []\ninstances: []\n',
        )
        self.assertEqual('instances', error.faults[0].path)

    def test_what_is_not_there_is_told_by_its_own_name(self):
        nobody = str(uuid.uuid4())
        for verb in ('show', 'delete', 'members', 'events', 'topology'):
            self.assert_same(exception.ClusterNotFound, verb, nobody)
        self.assert_same(exception.ClusterNotFound, 'update', nobody, name='a')
        for verb in ('show_plan', 'release_plan', 'create_planned'):
            self.assert_same(exception.PlanNotFound, verb, nobody)
        cluster_id = self.build(documents.servers(1))['id']
        self.assert_same(
            exception.MemberNotFound, 'member', cluster_id, 'b?c d'
        )

    def test_an_id_that_is_taken_is_told(self):
        cluster_id = self.build(documents.servers(1))['id']
        self.assert_same(
            exception.ClusterExists,
            'create',
            documents.servers(2),
            cluster_id=cluster_id,
        )

    def test_what_the_cloud_refuses_is_told_with_its_service(self):
        refusal = exception.QuotaExceeded('compute', 'too many cores: 9 of 8')
        self.cloud.faults.fail('snapshot', error=refusal, times=None)
        error = self.assert_same(
            exception.QuotaExceeded, 'plan', documents.servers(1)
        )
        self.assertEqual('compute', error.service)
        self.assertEqual('too many cores: 9 of 8', error.reason)

    def test_a_token_of_nobody_or_of_another_project_opens_nothing(self):
        self.assertRaises(
            exception.Unauthorized, self.client(token='nobody').list
        )
        self.assertRaises(
            exception.ProjectNotFound, self.client(token=api.BOB).list
        )
        reader = self.client(token=api.RITA)
        self.assertRaises(
            exception.NotAllowed, reader.create, documents.servers(1)
        )

    def test_no_answer_is_told_as_that(self):
        self.address = 'http://127.0.0.1:1'
        self.assertRaises(exception.ServiceUnavailable, self.client().list)

    def test_a_defect_is_told_with_the_request_only(self):
        self.cloud.faults.fail('snapshot', error=KeyError('geheim'))
        error = self.assertRaises(
            exception.ServiceError, self.there.plan, documents.servers(1)
        )
        self.assertEqual('vcluster.internal', error.code)
        self.assertNotIn('geheim', str(error))
        self.assertTrue(error.request_id.startswith('req-'))


class PagesTest(HttpTest):
    """The service tells two at a time."""

    def make_conf(self):
        return api.configured(max_limit=2)

    def test_a_list_is_read_to_its_end_or_limit(self):
        names = [*'edcba']
        for name in names:
            self.create(documents.servers(1), name=name)

        def listed(**filters):
            return [view['name'] for view in self.there.list(**filters)]

        self.assertEqual(names, listed())
        self.assertEqual(names[:3], listed(limit=3))
        self.assertEqual([], listed(limit=0))
        self.assertEqual(sorted(names), listed(sort='name:asc'))
        third = self.there.list()[2]['id']
        self.assertEqual(names[3:], listed(marker=third))

    def test_events_are_read_to_their_end_or_limit(self):
        cluster_id = self.build(documents.SMALL)['id']
        self.assertEqual(
            _plain(self.here.events(cluster_id)),
            _plain(self.there.events(cluster_id)),
        )
        self.assertEqual(5, len(self.there.events(cluster_id, 0, 5)))


def _plain(view):
    """Return a view without what only HTTP has."""
    if isinstance(view, dict):
        return {k: _plain(v) for k, v in view.items() if k != 'links'}
    if isinstance(view, list | tuple):
        return [_plain(each) for each in view]
    return view
