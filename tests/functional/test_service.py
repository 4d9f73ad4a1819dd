# SPDX-License-Identifier: Apache-2.0
"""The verbs: who may, what twice means, and what time is allowed."""

import dataclasses
import uuid

import sqlalchemy as sa

from heat_vcluster import context, exception, quota
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import DELETING, FakeCloud
from tests.functional import base, documents

Kind = model.Kind


class Jobs:
    """A jobboard; whoever takes the jobs does them."""

    def __init__(self):
        self._posted = []

    def post(self, cluster_id, request_id):
        self._posted.append(cluster_id)

    def taken(self):
        taken, self._posted = self._posted, []
        return taken

    def close(self):
        pass


class TenantTest(base.EngineTest):
    """Another project sees nothing, and can do nothing."""

    def setUp(self):
        super().setUp()
        self.view = self.build(documents.SMALL)

    def test_other_project_finds_no_cluster(self):
        cluster = self.view['id']
        for verb in (
            self.service.show,
            self.service.delete,
            self.service.events,
        ):
            self.assertRaises(
                exception.ClusterNotFound, verb, base.BOB, cluster
            )
        self.assertEqual([], self.service.list(base.BOB))
        self.assertEqual('ACTIVE', self.show(cluster)['status'])

    def test_other_project_cannot_take_the_id(self):
        self.assertRaises(
            exception.ClusterExists,
            self.service.create,
            base.BOB,
            documents.SMALL,
            cluster_id=self.view['id'],
        )

    def test_both_projects_build_the_same_document(self):
        other = self.create(documents.SMALL, base.BOB)
        self.assertEqual('ACTIVE', self.settle(other, base.BOB)['status'])
        self.service.delete(base.BOB, other)
        self.assertIsNone(self.settle(other, base.BOB))
        self.assert_built(documents.SMALL, self.show(self.view['id']))

    def test_members_belong_to_the_tenant(self):
        made = [
            item
            for item in self.cloud.leftovers()
            if isinstance(item, model.Hold) or item.project_id != 'alpha'
        ]
        self.assertEqual([], made)


class TwiceTest(base.EngineTest):
    """The caller chose the id, and says the same again."""

    def setUp(self):
        super().setUp()
        self.cluster = str(uuid.uuid4())

    def test_same_create_is_the_same_cluster(self):
        for _ in range(3):
            self.assertEqual(
                self.cluster,
                self.create(documents.SMALL, cluster_id=self.cluster),
            )
        self.assert_built(documents.SMALL, self.settle(self.cluster))
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertEqual(1, self.calls()['reserve'])
        self.assertEqual(1, self.events(self.cluster).count('create'))

    def test_other_document_is_refused(self):
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertRaises(
            exception.ClusterExists,
            self.create,
            documents.servers(1),
            cluster_id=self.cluster,
        )
        self.assert_built(documents.SMALL, self.settle(self.cluster))

    def test_create_after_a_failure_is_no_new_attempt(self):
        self.cloud.faults.ruin(Kind.SERVER, 'web')
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.settle(self.cluster)
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.assertEqual('ERROR', self.settle(self.cluster)['status'])

    def test_create_after_the_delete_builds_nothing(self):
        self.create(documents.SMALL, cluster_id=self.cluster)
        self.settle(self.cluster)
        self.assertIsNone(self.delete(self.cluster))
        self.assertRaises(
            exception.ClusterNotFound,
            self.create,
            documents.SMALL,
            cluster_id=self.cluster,
        )
        self.assert_nothing_left()


class AnswerTest(base.EngineTest):
    """What begins a cluster, or a change, tells of before it has begun."""

    def setUp(self):
        super().setUp()
        self.end_before_the_answer()

    def test_a_create_shows_what_is_to_be_built(self):
        view = self.service.create(base.ANN, documents.SMALL)
        self.assertEqual('PLANNING', view['status'])
        self.assert_built(documents.SMALL, self.show(view['id']))

    def test_a_claim_shows_the_plan(self):
        plan = self.service.plan(base.ANN, documents.SMALL, hold_seconds=600)
        view = self.service.create_planned(base.ANN, plan['id'])
        self.assertEqual('HELD', view['status'])
        self.assert_built(documents.SMALL, self.show(view['id']))

    def test_what_is_gone_already_is_shown_all_the_same(self):
        """Somebody is quicker to delete it."""
        cluster = str(uuid.uuid4())
        self.cloud.faults.after(
            'reserve',
            None,
            lambda call: self.other.delete(base.ANN, cluster),
        )
        self.other = self.make_service()
        view = self.service.create(
            base.ANN, documents.SMALL, cluster_id=cluster
        )
        self.assertEqual('PLANNING', view['status'])
        self.until(lambda: self.show(cluster) is None, 'the delete')
        self.assert_nothing_left()

    def test_an_update_shows_the_change_and_its_name(self):
        cluster = self.create(documents.servers(1))
        view = self.service.update(
            base.ANN, cluster, document=documents.servers(2), name='two'
        )
        self.assertEqual(('UPDATING', 'two'), (view['status'], view['name']))
        self.assertEqual(['m-0'], [*view['members']])
        view = self.show(cluster)
        self.assertEqual(('ACTIVE', 'two'), (view['status'], view['name']))
        self.assertEqual(['m-0', 'm-1'], [*view['members']])


class DocumentTest(base.EngineTest):
    """What is wrong with the words alone is told at once."""

    def test_faults_are_told_and_nothing_is_recorded(self):
        document = documents.servers(
            2, documents.group('affinity', 'n', scope='shelf')
        )
        refused = self.assertRaises(
            exception.InvalidDocument, self.create, document
        )
        self.assertEqual(2, len(refused.faults), refused.faults)
        self.assertEqual([], self.service.list(base.ANN))
        self.assertEqual((), self.cloud.calls)


class PlanTest(base.EngineTest):
    def test_plan_is_told_in_pseudonyms_and_nothing_is_made(self):
        view = self.service.plan(base.ANN, documents.SMALL)
        members = view['members']
        self.assertEqual({'db', 'web', 'data'}, {*members})
        self.assertEqual(
            members['db']['domains']['rack'],
            members['data']['domains']['rack'],
        )
        self.assertEqual({'resolve': 1, 'snapshot': 1}, dict(self.calls()))
        self.assert_nothing_left()

    def test_no_plan_says_which_rules(self):
        refused = self.service.plan(
            base.ANN,
            documents.servers(
                5, documents.group('anti-affinity', 'm', scope='rack')
            ),
        )
        self.assertEqual('infeasible', refused['verdict'])
        self.assertEqual(['anti-affinity-of-m'], refused['rules'])
        self.assertEqual(
            (None, {}, None),
            (refused['id'], refused['members'], refused['placement']),
        )

    def test_a_refusal_says_what_would_fit(self):
        document = documents.servers(
            5, documents.group('anti-affinity', 'm', scope='rack')
        )
        view = self.build(document)
        self.assert_failed(
            view,
            'vcluster.no_valid_placement',
            '. What would fit: ',
            "make anti-affinity group 'anti-affinity-of-m' soft",
        )

    def test_a_smaller_flavor_is_proposed_where_it_fits(self):
        refused = self.service.plan(
            base.ANN, documents.servers(40, flavor='c8')
        )
        self.assertTrue(
            any('the flavor' in each for each in refused['repairs']),
            refused['repairs'],
        )

    def test_soft_rule_that_is_given_up_is_told(self):
        document = documents.servers(
            5,
            documents.group(
                'anti-affinity', 'm', scope='rack', strict=False, weight=7
            ),
        )
        view = self.build(document)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual(
            [('anti-affinity-of-m', 7)],
            [
                (each['group'], each['cost'])
                for each in view['placement']['given_up']
            ],
        )


class UpdateTest(base.EngineTest):
    def test_update_changes_what_is_told_and_nothing_that_was_built(self):
        view = self.build(documents.SMALL, tags=['x'], metadata={'a': 'b'})
        calls = len(self.cloud.calls)
        changed = self.service.update(
            base.ANN, view['id'], name='new', tags=['z', 'y']
        )
        self.assertEqual(
            ('new', ['y', 'z'], {'a': 'b'}),
            (changed['name'], changed['tags'], changed['metadata']),
        )
        self.assertEqual(view['members'], changed['members'])
        self.assertEqual(calls, len(self.cloud.calls))

    def test_name_that_changes_during_the_build(self):
        self.cloud.faults.stick(Kind.SERVER, 'db')
        cluster = self.create(documents.SMALL, name='old')
        self.until(
            lambda: self.show(cluster)['members']['db']['id'], 'the server'
        )
        self.service.update(base.ANN, cluster, name='new')
        self.cloud.faults.clear()
        view = self.settle(cluster)
        self.assert_built(documents.SMALL, view)
        self.assertEqual('new', view['name'])
        for member in view['members'].values():
            self.assertEqual(
                self.cloud.item(member['id']).name, member['name']
            )

    def test_what_cannot_be_is_refused_and_changes_nothing(self):
        view = self.build(documents.SMALL)
        for wrong in ({'name': ''}, {'tags': 'x'}, {'metadata': {'a': 1}}):
            self.assertRaises(
                exception.InvalidRequest,
                self.service.update,
                base.ANN,
                view['id'],
                **wrong,
            )
        self.assertEqual(view, self.show(view['id']))


class ListTest(base.EngineTest):
    def setUp(self):
        super().setUp()
        one = documents.servers(1, flavor='tiny')
        self.made = [
            self.create(one, name=name, tags=tags)
            for name, tags in (('a', ['x']), ('b', ['x', 'y']), ('c', []))
        ]
        for cluster in self.made:
            self.settle(cluster)

    def names(self, context=base.ANN, **options):
        found = self.service.list(context, **options)
        return [each['name'] for each in found]

    def test_summary_counts_the_members(self):
        self.cloud.faults.ruin(Kind.SERVER, 'm-0')
        failed = self.build(documents.servers(2, flavor='tiny'))
        view = self.service.list(base.ANN)[0]
        whole = self.show(self.made[0])
        self.assertEqual(
            {**{key: whole[key] for key in {*whole} & {*view}}}
            | {'member_count': 1, 'members_active': 1},
            view,
        )
        last = self.service.list(base.ANN, sort='created_at:desc')[0]
        self.assertEqual(failed['id'], last['id'])
        self.assertEqual(
            (2, 0), (last['member_count'], last['members_active'])
        )

    def test_filters_order_and_pages(self):
        self.assertEqual(['a', 'b'], self.names(tags=['x']))
        self.assertEqual(['b'], self.names(tags=['x', 'y']))
        self.assertEqual(['c'], self.names(name='c'))
        self.assertEqual([], self.names(status='ERROR'))
        self.assertEqual(['c', 'b'], self.names(sort='name:desc', limit=2))
        self.assertEqual(
            ['a'], self.names(sort='name:desc', marker=self.made[1])
        )

    def test_other_projects_are_seen_only_when_all_are_asked_for(self):
        self.assertEqual([], self.names(base.BOB))
        self.assertEqual(
            ['a', 'b', 'c'], self.names(base.BOB, all_projects=True)
        )
        self.assertRaises(
            exception.InvalidRequest,
            self.service.list,
            base.BOB,
            marker=self.made[0],
        )


class LookTest(base.EngineTest):
    """Members, topology and events of one cluster."""

    def setUp(self):
        super().setUp()
        self.view = self.build(documents.SMALL)
        self.cluster_id = self.view['id']

    def test_members_are_those_of_the_view_in_order(self):
        members = self.service.members(base.ANN, self.cluster_id)
        self.assertEqual(
            [*self.view['members'].items()],
            [(each.pop('member'), each) for each in members],
        )
        self.assertEqual(
            {'member': 'db', **self.view['members']['db']},
            self.service.member(base.ANN, self.cluster_id, 'db'),
        )
        self.assertRaises(
            exception.MemberNotFound,
            self.service.member,
            base.ANN,
            self.cluster_id,
            'nobody',
        )

    def test_topology_has_every_member_where_its_domains_say(self):
        tree = self.service.topology(base.ANN, self.cluster_id)
        self.assertEqual(['zone', 'rack', 'host'], tree['levels'])
        found = {name: {} for name in tree['unplaced']}
        self.walk(tree['domains'], {}, found)
        self.assertEqual(
            {n: m['domains'] for n, m in self.view['members'].items()}, found
        )
        self.assertEqual({True}, {rule['holds'] for rule in tree['rules']})

    def walk(self, domains, above, found):
        for domain in domains:
            at = {**above, domain['level']: domain['name']}
            found.update((name, at) for name in domain['members'])
            self.walk(domain['domains'], at, found)

    def test_events_come_in_pages(self):
        events = self.service.events(base.ANN, self.cluster_id)
        first = self.service.events(base.ANN, self.cluster_id, limit=3)
        rest = self.service.events(
            base.ANN, self.cluster_id, after=first[-1]['id']
        )
        self.assertEqual(3, len(first))
        self.assertEqual(events, [*first, *rest])


class TrustTest(base.EngineTest):
    """There is one trust for each cluster, as long as there is that."""

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def trusts(self):
        return len(self.cloud.world.trusts)

    def test_trust_lasts_as_long_as_its_cluster(self):
        cluster = self.create(documents.SMALL)
        self.assertEqual(1, self.trusts())
        self.settle(cluster)
        self.create(documents.SMALL, cluster_id=cluster)
        self.assertEqual(1, self.trusts())
        self.assertIsNone(self.delete(cluster))
        self.until(lambda: not self.trusts(), 'the end of the trust')

    def test_refused_create_leaves_no_trust(self):
        self.service = self.make_service(quota=quota.Quota(clusters=0))
        self.assertRaises(
            exception.LimitExceeded, self.create, documents.SMALL
        )
        self.assertEqual(0, self.trusts())

    def test_held_plan_needs_none_until_it_is_built(self):
        plan = self.service.plan(base.ANN, documents.SMALL, hold_seconds=600)
        self.assertEqual(0, self.trusts())
        self.service.create_planned(base.ANN, plan['id'])
        self.assertEqual(1, self.trusts())
        self.assertEqual('ACTIVE', self.settle(plan['id'])['status'])

    def test_work_that_needs_a_trust_is_refused_without(self):
        self.cloud.has_trusts = False
        self.patch(self.service.engine, 'needs_trust', True)
        self.assertRaises(exception.TrustRefused, self.create, documents.SMALL)
        self.assertEqual([], self.service.list(base.ANN))


class ColleagueTest(base.EngineTest):
    """Somebody else of the project; the work is done by others, later."""

    carl = context.Context('alpha', 'carl')

    def setUp(self):
        super().setUp()
        self.board = Jobs()
        self.api = self.make_service(board=self.board)
        self.cluster = self.build(documents.servers(1))['id']
        self.rest(self.cluster)

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def work(self):
        """Do what was asked for by the record alone."""
        for cluster in self.board.taken():
            self.service.engine.carry_on(cluster, is_patient=True)

    def forget_trust(self):
        """Let it be one of a time when no trust was to be had."""
        with self.service._store._database.writing() as connection:
            connection.execute(sa.text('UPDATE clusters SET trust_id = NULL'))
        self.cloud.revoke_trusts()

    def test_change_of_one_that_nobody_entrusted_is_made_by_his_trust(self):
        self.forget_trust()
        larger = documents.servers(2)
        self.api.update(self.carl, self.cluster, document=larger)
        self.work()
        view = self.show(self.cluster)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertIsNone(view['status_reason'])
        self.assertEqual(['m-0', 'm-1'], list(view['members']))
        self.assertEqual('carl', view['user_id'])
        self.delete_by(base.ANN)

    def delete_by(self, who):
        self.api.delete(who, self.cluster)
        self.work()
        self.assertIsNone(self.show(self.cluster))
        self.assert_nothing_left()  # no trust either

    def test_trust_that_is_lost_is_given_anew_by_who_deletes(self):
        self.cloud.revoke_trusts()
        self.delete_by(self.carl)

    def test_trust_that_is_lost_is_given_anew_by_who_asks(self):
        self.cloud.revoke_trusts()
        self.api.stop_servers(self.carl, self.cluster)
        self.work()
        view = self.show(self.cluster)
        self.assertEqual('STOPPED', view['status'], view['status_reason'])
        self.assertEqual('carl', view['user_id'])
        self.delete_by(base.ANN)

    def test_trust_that_is_lost_is_given_anew_by_who_changes(self):
        self.cloud.revoke_trusts()
        larger = documents.servers(2)
        self.api.update(self.carl, self.cluster, document=larger)
        self.work()
        view = self.show(self.cluster)
        self.assertIsNone(view['status_reason'])
        self.assertEqual(['m-0', 'm-1'], list(view['members']))

    def test_trust_that_holds_stays(self):
        kept = {*self.cloud.world.trusts}
        self.api.check(self.carl, self.cluster)
        self.work()
        self.assertEqual(kept, {*self.cloud.world.trusts})
        self.assertEqual('ann', self.show(self.cluster)['user_id'])

    def test_trust_that_comes_too_late_is_ended(self):
        self.cloud.revoke_trusts()

        def be_quicker(call):
            self.api.check(base.ANN, self.cluster)

        self.cloud.faults.before('entrust', None, be_quicker)
        self.api.check(self.carl, self.cluster)
        self.assertEqual(1, len(self.cloud.world.trusts))
        self.work()
        self.delete_by(self.carl)

    def test_credentials_that_cannot_give_one_are_refused(self):
        self.cloud.revoke_trusts()
        self.cloud.has_trusts = False
        self.assertRaises(
            exception.TrustRefused, self.api.delete, self.carl, self.cluster
        )
        self.assertEqual('ACTIVE', self.show(self.cluster)['status'])

    def test_trust_that_is_lost_in_between_is_told(self):
        self.api.delete(base.ANN, self.cluster)
        self.cloud.revoke_trusts()
        self.work()
        view = self.show(self.cluster)
        self.assertEqual('ACTIVE', view['status'])
        self.assertEqual('vcluster.trust_lost', view['error_code'])
        self.assertIn('delete again', view['status_reason'])
        self.delete_by(self.carl)


class OutsiderTest(base.EngineTest):
    """An administrator deletes what is another project's, by its trust."""

    ada = dataclasses.replace(base.ANN, user_id='ada', is_outsider=True)

    def make_cloud(self):
        return FakeCloud(trusts=True)

    def test_it_is_removed_as_its_user(self):
        view = self.build(documents.SMALL)
        self.assertIsNone(self.delete(view['id'], context=self.ada))
        self.assert_nothing_left()
        removed = [c for c in self.cloud.calls if c.name == 'delete']
        self.assertEqual({'alpha'}, {call.project_id for call in removed})
        self.assertEqual({}, self.cloud.world.trusts)

    def test_it_is_stopped_while_it_is_built(self):
        self.cloud.faults.stick(Kind.SERVER, 'db')
        cluster = self.create(documents.SMALL)
        self.until(
            lambda: self.show(cluster)['members']['db']['id'], 'the server'
        )
        self.cloud.faults.clear()
        self.assertIsNone(self.delete(cluster, context=self.ada))
        self.assert_nothing_left()

    def test_once_begun_it_takes_no_trust(self):
        view = self.build(documents.SMALL)
        self.cloud.faults.stick(Kind.SERVER, 'db', phase=DELETING)
        self.service.delete(self.ada, view['id'])
        self.cloud.revoke_trusts()
        self.service.delete(self.ada, view['id'])
        self.cloud.faults.clear()
        self.assertIsNone(self.settle(view['id']))

    def test_without_a_trust_nothing_is_begun(self):
        self.cloud.has_trusts = False
        self.refuse(exception.NotEntrusted)

    def test_with_a_lost_one_nothing_is_begun(self):
        self.refuse(exception.TrustLost, self.cloud.revoke_trusts)

    def test_while_keystone_is_away_nothing_is_begun(self):
        def go_away():
            self.cloud.faults.fail(
                'trusted', error=exception.CloudError('keystone', 'away')
            )

        self.refuse(exception.CloudError, go_away)

    def refuse(self, error, meanwhile=lambda: None):
        """Refuse her, and leave it to those whose it is."""
        view = self.build(documents.SMALL)
        meanwhile()
        self.assertRaises(error, self.service.delete, self.ada, view['id'])
        self.assertEqual('ACTIVE', self.show(view['id'])['status'])
        self.service.engine.attend()
        self.rest(view['id'])
        self.assertEqual('ACTIVE', self.show(view['id'])['status'])
        self.assertIsNone(self.delete(view['id']))


class TimeTest(base.EngineTest):
    """Nothing waits for ever."""

    def story(self, document=documents.SMALL, **options):
        return self.check(self.build(document, **options))

    def check(self, view):
        self.assert_failed(view, 'vcluster.timed_out', 'run out')
        self.assert_nothing_left()
        return view

    def run_out(self, *late, document=documents.SMALL):
        """Let the time run out while those members are waited for."""
        cluster = self.create(document)

        def are_waited_for():
            members = self.show(cluster)['members']
            asked = {
                call.arguments.get(
                    'server_id', call.arguments.get('volume_id')
                )
                for call in self.cloud.calls
                if call.name in ('server_state', 'volume_state')
            }
            return {members[name]['id'] for name in late} <= asked

        self.until(are_waited_for, late)
        self.service.engine._operations[cluster]._signal.deadline = 0.0
        return self.check(self.settle(cluster))

    def test_server_that_stays_in_build(self):
        self.cloud.faults.stick(Kind.SERVER, 'db')
        view = self.run_out('db')
        self.assertIn('member db', view['status_reason'])
        self.assertNotIn('web', view['status_reason'])

    def test_volume_that_stays_in_creating(self):
        self.cloud.faults.stick(Kind.VOLUME)
        self.cloud.faults.before(
            'delete', 'data', lambda call: self.cloud.faults.clear()
        )
        view = self.run_out('data')
        self.assertIn('member data', view['status_reason'])

    def test_many_that_are_late_are_not_all_named(self):
        self.cloud.faults.stick(Kind.SERVER)
        names = [f'm-{number}' for number in range(7)]
        view = self.run_out(*names, document=documents.servers(7))
        self.assertIn('m-4, 2 more', view['status_reason'])

    def test_time_is_that_of_the_configuration_without_another(self):
        self.service = self.make_service(
            settings=dataclasses.replace(self.settings, create_timeout=0.8)
        )
        self.cloud.faults.stick(Kind.SERVER, 'web')
        self.story()

    def test_no_time_at_all(self):
        self.story(timeout=0.001)
        self.assertNotIn('reserve', self.calls())
