# SPDX-License-Identifier: Apache-2.0
"""Existing servers and volumes are brought under a cluster, rules first."""

import copy

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import adoptions, base, documents


class AdoptTest(adoptions.AdoptionCase):
    def test_what_is_there_is_the_cluster_s_from_then_on(self):
        view = self.adopt()
        self.assert_adopted(view)
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assertEqual('a', view['members']['db']['name'])
        self.assertEqual(['10.9.0.2'], view['members']['db']['addresses'])
        self.assertEqual(
            ['adopt', 'checked', 'active'], self.events(view['id'])
        )

    def test_names_will_do(self):
        self.named |= {'db': 'a', 'web': 'b', 'data': 'vol'}
        view = self.adopt()
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertEqual(
            'b', self.cloud.item(view['members']['web']['id']).name
        )

    def test_nothing_is_held_and_the_limits_count(self):
        before = len(self.cloud.calls)
        self.adopt()
        self.assertNotIn('reserve', self.calls(before))
        used = self.service.limits(base.ANN)
        self.assertEqual(3, used['members']['used'])
        self.service._store.set_limit('alpha', 'members', 4)
        self.make_things()
        self.assertRaises(exception.LimitExceeded, self.begin)

    def test_the_same_call_again_is_the_same_cluster(self):
        cluster = self.begin(cluster_id='00000000-0000-0000-0000-000000000007')
        self.settle(cluster)
        self.rest(cluster)
        self.assertEqual(cluster, self.begin(cluster_id=cluster))
        self.assert_adopted(self.settle(cluster))

    def test_a_dry_run_changes_nothing(self):
        found = self.service.plan_adoption(
            base.ANN, adoptions.DOCUMENT, self.named
        )
        self.assert_untouched()
        self.assertEqual('COMPLIANT', found['compliance']['status'])
        self.assertEqual(
            {'zone': 'zone-1', 'rack': 'rack-1', 'host': 'host-1'},
            found['members']['db']['domains'],
        )
        self.assertEqual(self.named['web'], found['members']['web']['id'])


class LifeTest(adoptions.AdoptionCase):
    """What is adopted lives as what was built."""

    def setUp(self):
        super().setUp()
        self.view = self.adopt()
        self.cluster_id = self.view['id']
        self.rest(self.cluster_id)

    def do(self, verb, *args, **asked):
        getattr(self.service, verb)(base.ANN, self.cluster_id, *args, **asked)
        view = self.settle(self.cluster_id)
        self.assertIsNone(view['error_code'], view['status_reason'])
        self.rest(self.cluster_id)
        return view

    def test_it_is_checked_and_stopped(self):
        self.cloud.migrate(self.named['web'], 'r1h2')
        found = self.do('check')['compliance']
        self.assertEqual('DRIFTED', found['status'])
        self.assertEqual('STOPPED', self.do('stop_servers')['status'])

    def test_it_is_healed_with_its_ports_and_volumes(self):
        port = self.cloud.item(self.named['db']).port_ids
        self.cloud.lose(self.named['db'])
        view = self.do('heal')
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        made = self.cloud.item(view['members']['db']['id'])
        self.assertEqual(port, made.port_ids)
        self.assertEqual([self.named['data']], [*made.links])
        self.assertEqual('taken-in-db', view['members']['db']['name'])

    def test_an_address_outlives_the_port_that_had_it(self):
        (port,) = self.cloud.item(self.named['web']).port_ids
        self.cloud.lose(self.named['web'])
        self.cloud.lose(port)
        view = self.do('heal')
        self.assertEqual(
            self.view['members']['web']['addresses'],
            view['members']['web']['addresses'],
        )

    def test_it_becomes_what_another_document_says(self):
        wanted = self.grown()
        view = self.do('update', document=wanted)
        self.assertEqual([], self.broken(wanted, self.cluster_id))
        for name in ('data', 'db', 'web'):
            self.assertEqual(self.named[name], view['members'][name]['id'])
        self.assertIn('more', view['members'])
        server = self.cloud.item(self.named['web'])
        self.assertEqual('new', server.asked.metadata['role'])

    def grown(self):
        wanted = copy.deepcopy(adoptions.DOCUMENT)
        wanted['instances'][2]['spec']['metadata'] = {'role': 'new'}
        wanted['instances'].append(documents.server('more'))
        wanted['groups'][0]['members'].append('more')
        return wanted

    def test_an_update_that_fails_keeps_what_was_adopted(self):
        self.cloud.faults.ruin(model.Kind.SERVER, 'more~1')
        self.service.update(base.ANN, self.cluster_id, document=self.grown())
        view = self.settle(self.cluster_id)
        self.assertIn('The update failed', view['status_reason'])
        self.assertEqual(self.view['members'], view['members'])
        self.assertEqual(self.theirs, self.things())

    def test_its_delete_removes_it(self):
        self.assertIsNone(self.delete(self.cluster_id))
        self.assert_nothing_left()

    def test_its_release_leaves_it_alone(self):
        self.assertIsNone(self.do_release())
        self.assert_untouched()
        self.assert_adopted(self.adopt())  # and it may come back

    def do_release(self):
        self.service.release(base.ANN, self.cluster_id)
        view = self.settle(self.cluster_id)
        self.rest(self.cluster_id)
        return view

    def test_a_release_leaves_what_was_built_too(self):
        self.do('update', document=self.grown())
        there = {*self.cloud.world.items}
        self.do_release()
        self.assertEqual(there, {*self.cloud.world.items})
        self.assertEqual(set(), self.marked())

    def test_nobody_else_can_have_it(self):
        other = {**adoptions.DOCUMENT, 'name': 'other'}
        error = self.assertRaises(exception.InvalidDocument, self.begin, other)
        self.assertEqual(
            [f'members.{name}' for name in ('data', 'db', 'web')],
            [fault.path for fault in error.faults],
        )
        self.assertIn(self.cluster_id, str(error))

    def test_nor_while_its_mark_is_hidden(self):
        """The record knows what the mark would tell."""
        for item in self.cloud.world.items.values():
            item.owner = None
        error = self.assertRaises(exception.InvalidRequest, self.begin)
        self.assertEqual(3, len(error.faults))
        self.assertIn(self.cluster_id, str(error))


class RulesTest(adoptions.AdoptionCase):
    def setUp(self):
        super().setUp()
        self.cloud.migrate(self.named['web'], 'r1h2')
        self.theirs = self.things()

    def test_a_broken_rule_is_told_without_real_names(self):
        error = self.assertRaises(exception.RulesBroken, self.begin)
        self.assertEqual(
            (
                'anti-affinity group anti-affinity-of-db does not hold for '
                'db, web (rack-1)',
            ),
            error.reasons,
        )
        self.assert_untouched()
        self.assertEqual([], [*self.service.list(base.ANN)])

    def test_it_is_accepted_if_allowed_and_repaired(self):
        view = self.adopt(allow_drifted=True)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertEqual('DRIFTED', view['compliance']['status'])
        self.service.repair(base.ANN, view['id'])
        view = self.settle(view['id'])
        self.assertEqual('COMPLIANT', view['compliance']['status'])
        self.assertEqual([], self.broken(view, view['id']))

    def test_a_rule_that_breaks_meanwhile_is_heeded_too(self):
        self.cloud.migrate(self.named['web'], 'r2h1')
        self.theirs = self.things()

        def move(call):
            self.cloud.migrate(self.named['web'], 'r1h1')

        self.cloud.faults.after('adopt', 'web', move)
        view = self.adopt()
        self.assert_failed(view, 'vcluster.rules_broken', 'db, web')
        self.assertEqual(set(), self.marked())

    def test_where_a_volume_sits_may_not_be_told(self):
        self.cloud.migrate(self.named['web'], 'r2h1')
        self.cloud.item(self.named['data']).pool = None
        self.theirs = self.things()
        error = self.assertRaises(exception.RulesBroken, self.begin)
        self.assertIn('cannot be told', str(error))
        self.assertIn('data', str(error))
        found = self.service.plan_adoption(
            base.ANN, adoptions.DOCUMENT, self.named
        )
        self.assertEqual(['affinity-of-db'], found['compliance']['not_judged'])
        self.assert_untouched()
        self.assertEqual('ACTIVE', self.adopt(allow_drifted=True)['status'])


class FaultsTest(adoptions.AdoptionCase):
    """All at once, each with its place; and nothing is touched."""

    def test_what_is_named(self):
        self.cloud.add_server('alpha', 'twin', 'r3h1')
        self.cloud.add_server('alpha', 'twin', 'r3h1')
        self.theirs = self.things()
        foreign = self.cloud.add_server('beta', 'theirs', 'r3h1')
        del self.cloud.world.items[foreign]
        found = self.faults_of(
            data='gone', db='twin', web=foreign, such='thing'
        )
        self.assertEqual(
            {
                'members.data': "there is no volume 'gone' in the project",
                'members.db': "there are 2 servers 'twin' in the project; "
                'give the id',
                'members.web': f"there is no server '{foreign}' in the "
                'project',
                'members.such': 'the document has no such member',
            },
            found,
        )

    def test_another_project_s_server_is_not_there(self):
        foreign = self.cloud.add_server('beta', 'theirs', 'r3h1')
        self.theirs = self.things()
        found = self.faults_of(web=foreign)
        self.assertIn('there is no server', found['members.web'])

    def test_who_is_not_named(self):
        del self.named['web']
        found = self.faults_of()
        self.assertEqual(['instances[2]'], [*found])
        self.assertIn("'web' is not named", found['instances[2]'])

    def test_a_network_is_no_member_to_adopt(self):
        document = self.document()
        document['instances'].append(
            {
                'name': 'net',
                'type': 'network',
                'spec': {'subnets': [{'cidr': '10.8.0.0/24'}]},
            }
        )
        found = self.faults_of(document)
        self.assertIn('name it', found['instances[3].type'])

    def test_one_thing_is_not_two_members(self):
        found = self.faults_of(web=self.named['db'])
        self.assertIn('more than once', found['members.web'])
        self.assertIn('more than once', found['members.db'])

    def test_what_is_at_fault(self):
        self.cloud.spoil(self.named['data'])
        self.cloud.item(self.named['db']).status = 'SHUTOFF'
        self.cloud.item(self.named['web']).next_status = 'SHUTOFF'
        self.theirs = self.things()
        found = self.faults_of()
        self.assertIn('is error', found['members.data'])
        self.assertIn('is SHUTOFF', found['members.db'])
        self.assertIn('being done', found['members.web'])

    def test_what_differs_from_the_document(self):
        self.cloud.add_key('alpha', 'ann')
        self.cloud.add_security_group('alpha', 'open')
        other = self.cloud.add_network('alpha', 'other', '10.8.0.0/24')
        self.cloud.world.images['img-2'] = 'fedora'
        extra = self.cloud.add_volume('alpha', 'extra', 1, pool=adoptions.POOL)
        self.cloud.item(self.named['web']).links[extra] = 'attached'
        self.theirs = self.things()
        document = self.document()
        data, db, web = (i['spec'] for i in document['instances'])
        data.update(size=2, volume_type='standard', metadata={'a': 'b'})
        db.update(
            flavor='large',
            image='fedora',
            key_name='ann',
            config_drive=True,
            availability_zone='az2',
            metadata={'role': 'new'},
            tags=['yours'],
        )
        db['networks'] = [
            {'network': 'private', 'security_groups': ['open']},
            {'network': 'other'},
        ]
        web['networks'] = []
        found = self.faults_of(document)
        prefix = 'instances[{}].spec.{}'.format
        self.assertEqual(
            {
                *(
                    prefix(0, key)
                    for key in ('size', 'volume_type', 'metadata.a')
                ),
                *(
                    prefix(1, key)
                    for key in (
                        'flavor',
                        'image',
                        'key_name',
                        'config_drive',
                        'availability_zone',
                        'metadata.role',
                        'tags',
                        'networks[0].security_groups',
                        'networks[1]',
                    )
                ),
                prefix(2, 'networks'),
                prefix(2, 'volumes'),
            },
            {*found},
        )
        self.assertIn("is 'small', not 'large'", found[prefix(1, 'flavor')])
        self.assertIn(extra, found[prefix(2, 'volumes')])
        self.assertNotEqual(other, self.net)

    def test_attachments_are_those_of_the_document(self):
        document = self.document()
        del document['instances'][1]['spec']['volumes']
        document['instances'][2]['spec']['volumes'] = ['data']
        found = self.faults_of(document)
        self.assertIn('not attached', found['instances[2].spec.volumes[0]'])
        self.assertIn('has volume', found['instances[1].spec.volumes'])
        self.assertIn('which is no member', found['instances[0].spec'])

    def test_names_that_mean_nothing_in_this_cloud(self):
        document = self.document()
        document['instances'][1]['spec']['flavor'] = 'none-such'
        found = self.faults_of(document, web='gone')
        self.assertEqual({'members.web', 'instances[1].spec.flavor'}, {*found})
