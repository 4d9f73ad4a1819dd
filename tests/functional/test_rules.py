# SPDX-License-Identifier: Apache-2.0
"""Every kind of rule, from a document to places that obey it."""

import collections

import yaml

from heat_vcluster import exception, registry
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import base, documents, rules, surroundings


class JudgeTest(base.EngineTest):
    """The tests' own judge of rules sees what is wrong."""

    def faults(self, document, places):
        around = surroundings.Surroundings(self.cloud, 'none', document)
        return rules.broken(document, places, self.cloud.domain, around)

    def test_every_kind_can_be_broken_and_obeyed(self):
        self.cloud.occupy('r4h1', VCPU=1)
        for spec, good, bad in (
            (
                {'policy': 'affinity', 'scope': 'rack'},
                ('r1h1', 'r1h2'),
                ('r1h1', 'r2h1'),
            ),
            (
                {'policy': 'anti-affinity', 'scope': 'rack'},
                ('r1h1', 'r2h1'),
                ('r1h1', 'r1h2'),
            ),
            (
                {'policy': 'spread', 'scope': 'zone', 'max_skew': 0},
                ('r1h1', 'r4h1'),
                ('r1h1', 'r2h1'),
            ),
            (
                {'policy': 'spread', 'scope': 'rack', 'min_domains': 2},
                ('r1h1', 'r2h1'),
                ('r1h1', 'r1h2'),
            ),
            (
                {'policy': 'exclusive', 'scope': 'host'},
                ('r1h1', 'r1h1'),
                ('r1h1', 'r4h1'),
            ),
            (
                {'policy': 'proximity', 'at_least': 'zone'},
                ('r1h1', 'r2h1'),
                ('r1h1', 'r4h1'),
            ),
            (
                {'policy': 'survive', 'scope': 'rack', 'lose': 1, 'keep': 1},
                ('r1h1', 'r2h1'),
                ('r1h1', 'r1h2'),
            ),
        ):
            group = {'name': 'g', 'spec': spec, 'members': ['m']}
            document = documents.servers(2, group)
            for places, faults in ((good, 0), (bad, 1)):
                named = dict(zip(('m-0', 'm-1'), places, strict=True))
                found = self.faults(document, named)
                self.assertEqual(faults, len(found), (spec, found))


class TemplateTest(base.EngineTest):
    """The templates with rules between groups, even, near and alone."""

    def story(self, name, **parameters):
        document = documents.of_template(name, **parameters)
        view = self.build(document)
        self.assert_built(document, view)
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()
        return view

    def racks(self, view, *names):
        return [view['members'][name]['domains']['rack'] for name in names]

    def test_shards_are_each_together_and_apart_as_wholes(self):
        view = self.story('groups_of_groups.yaml')
        racks = {
            rack
            for number in range(3)
            for rack in {
                *self.racks(
                    view,
                    f'db-{number}',
                    f'data-{number}',
                    f'cache-{number}',
                )
            }
        }
        self.assertEqual(3, len(racks))

    def test_workers_are_over_racks_without_knowing_how_many(self):
        view = self.story('even_spread.yaml', workers=10)
        racks = self.racks(view, *(f'worker-{n}' for n in range(10)))
        # Four racks, all of which could have one.
        self.assertEqual(
            [2, 2, 3, 3], sorted(collections.Counter(racks).values())
        )

    def test_a_full_rack_counts_for_evenness_and_refuses(self):
        for rack in (1, 2, 3):
            self.cloud.fill_host(f'r4h{rack}')
        document = documents.of_template('even_spread.yaml', workers=10)
        view = self.build(document)
        self.assert_failed(view, 'vcluster.no_valid_placement', 'over-racks')

    def test_keys_are_alone_and_the_application_is_near(self):
        for host in ('r1h1', 'r2h2', 'r3h3'):
            self.cloud.occupy(host, VCPU=1)
        view = self.story('near_and_alone.yaml')
        members = view['members']
        hosts = {n: each['domains'].get('host') for n, each in members.items()}
        self.assertNotEqual(hosts['keys-0'], hosts['keys-1'])
        self.assertNotIn(hosts['keys-0'], (hosts['app-0'], hosts['app-1']))
        # All in one rack: nearer cannot be with the keys on two hosts.
        (given_up,) = view['placement']['given_up']
        self.assertEqual(
            ('near', 1, 5),
            (given_up['group'], given_up['violation'], given_up['cost']),
        )
        self.assertEqual({*hosts.values()} - {None}, set(given_up['where']))


class SurviveTest(base.EngineTest):
    """What is to survive a loss does, and what is so is said."""

    def asking(self, *survive, db=3, web=5):
        return {
            'instances': [
                documents.server('db', count=db),
                documents.server('web', count=web),
            ],
            'survive': list(survive),
        }

    def test_the_template_says_what_a_rack_leaves(self):
        document = documents.of_template('survive.yaml')
        view = self.build(document)
        self.assert_built(document, view)
        one, two = view['survival']
        self.assertEqual((True, True), (one['holds'], two['holds']))
        self.assertEqual({'count': 2, 'scope': 'rack'}, two['lose'])
        racks = collections.Counter(
            view['members'][f'web-{n}']['domains']['rack'] for n in range(5)
        )
        left = 5 - max(racks.values())
        self.assertEqual(
            {'least': left, 'total': 5, 'unknown': 0}, one['left']['web']
        )
        self.assertEqual(
            'losing any one rack leaves at least 2 of 3 db and '
            f'{20 * left} % of web',
            one['says'],
        )
        self.assertEqual(
            'losing any 2 racks leaves at least 1 of 3 db', two['says']
        )

    def test_a_plan_says_it_and_holds_it(self):
        document = self.asking({'lose': '2 racks', 'keep': {'web': 2}})
        for options in ({}, {'hold_seconds': 60}):
            plan = self.service.plan(base.ANN, document, **options)
            (loss,) = plan['survival']
            # Over four racks it is 2, 1, 1 and 1: no other way is enough.
            self.assertEqual(
                (2, True), (loss['left']['web']['least'], loss['holds'])
            )
        view = self.service.create_planned(base.ANN, plan['id'])
        view = self.settle(view['id'])
        self.assert_built(document, view)
        self.assertEqual([loss], view['survival'])

    def test_what_cannot_be_names_the_entry(self):
        view = self.build(
            self.asking(
                {'lose': '1 rack', 'keep': {'db': 2, 'web': '90%'}}, web=10
            )
        )
        self.assert_failed(
            view,
            'vcluster.no_valid_placement',
            "'survive[0].keep.web' has at least 9 of its 10 members survive "
            'the loss of any one rack: that takes 10 racks, and 4 qualify',
        )
        (loss,) = view['survival']
        self.assertEqual((None, None), (loss['left'], loss['says']))
        self.assert_nothing_left()

    def test_a_wish_that_is_given_up_is_told_with_what_is_so(self):
        view = self.build(
            self.asking(
                {'lose': '2 racks', 'keep': {'web': 3}, 'weight': 4}, db=1
            )
        )
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        (given_up,) = view['placement']['given_up']
        self.assertEqual(
            ('survive[0].keep.web', 1),
            (given_up['group'], given_up['violation']),
        )
        (loss,) = view['survival']
        self.assertEqual(
            (2, False), (loss['left']['web']['least'], loss['holds'])
        )
        names = [
            r['name']
            for r in self.service.topology(base.ANN, view['id'])['rules']
        ]
        self.assertEqual(['survive[0].keep.web'], names)

    def test_volumes_of_which_nothing_is_known_are_not_promised(self):
        document = {
            'instances': [
                {
                    'name': 'v',
                    'type': 'volume',
                    'count': 2,
                    'spec': {'size': 1},
                }
            ],
            'survive': [{'lose': '1 host', 'keep': {'v': 1}}],
        }
        view = self.build(document)
        self.assertEqual(
            [
                {'group': 'survive[0].keep.v', 'member': f'v-{n}'}
                for n in range(2)
            ],
            view['placement']['not_applied'],
        )
        (loss,) = view['survival']
        self.assertEqual(
            {'least': 0, 'total': 2, 'unknown': 2}, loss['left']['v']
        )
        self.assertFalse(loss['holds'])
        self.assertIn('of 2 of them it is not known', loss['says'])

    def test_a_level_that_there_is_not_is_told_at_the_entry(self):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.service.plan,
            base.ANN,
            self.asking({'lose': '1 row', 'keep': {'db': 1}}),
        )
        self.assertEqual(
            ['survive[0].lose'], [fault.path for fault in error.faults]
        )


class ToldTest(base.EngineTest):
    """What is given up is told: which, where, and what it cost."""

    def given_up(self, document):
        view = self.build(document)
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assert_secret(view)
        return view

    def test_a_wish_of_each_kind(self):
        self.cloud = FakeCloud(racks=2, hosts_per_rack=1, zones=2)
        self.service = self.make_service()
        self.cloud.occupy('r1h1', VCPU=1)
        self.cloud.occupy('r2h1', VCPU=1)
        told = {}
        for policy, spec in (
            ('affinity', {'scope': 'host'}),
            ('anti-affinity', {'scope': 'rack'}),
            ('exclusive', {'scope': 'host'}),
            ('proximity', {}),
            ('spread', {'scope': 'rack', 'max_per_domain': 1}),
            ('survive', {'scope': 'rack', 'lose': 1, 'keep': 2}),
        ):
            soft = documents.group(policy, 'm', **spec, weight=2)
            # Three servers, at most two of them on each of the two hosts.
            hard = {
                'name': 'both',
                'spec': {
                    'policy': 'spread',
                    'scope': 'host',
                    'max_per_domain': 2,
                },
                'members': ['m'],
            }
            view = self.given_up(documents.servers(3, soft, hard))
            (found,) = view['placement']['given_up']
            self.assertEqual(soft['name'], found['group'])
            self.assertEqual(2 * found['violation'], found['cost'])
            known = {
                domain
                for member in view['members'].values()
                for domain in member['domains'].values()
            }
            self.assertTrue(found['where'])
            self.assertLessEqual(set(found['where']), known)
            told[policy] = found['violation']
            self.delete(view['id'])
        self.assertEqual(set(registry.load('policies')), set(told))
        self.assertEqual(
            {
                'affinity': 1,
                'anti-affinity': 1,
                'exclusive': 2,
                'proximity': 3,
                'spread': 1,
                'survive': 1,
            },
            told,
        )

    def test_a_plan_tells_it_as_well(self):
        told = self.service.plan(
            base.ANN,
            documents.servers(
                5,
                documents.group('anti-affinity', 'm', scope='rack', weight=1),
            ),
        )
        (found,) = told['placement']['given_up']
        self.assertEqual(1, found['violation'])
        (where,) = found['where']
        self.assertEqual(
            2,
            [m['domains']['rack'] for m in told['members'].values()].count(
                where
            ),
        )

    def test_a_rule_that_cannot_count_a_volume(self):
        self.cloud = FakeCloud(backends='rack')
        self.service = self.make_service()
        document = yaml.safe_load(
            """
            instances:
            - {name: m, type: server, spec: {image: cirros, flavor: small}}
            - {name: v, type: volume, spec: {size: 1}}
            groups:
            - name: here
              spec: {policy: proximity, at_least: host, weight: 1}
              members: [m, v]
            - {name: alone, spec: {policy: exclusive}, members: [m, v]}
            - {name: near, spec: {policy: proximity}, members: [m, v]}
            """
        )
        view = self.given_up(document)
        self.assertEqual(
            [
                {'group': 'here', 'member': 'v'},
                {'group': 'alone', 'member': 'v'},
            ],
            view['placement']['not_applied'],
        )


class RefusedTest(base.EngineTest):
    """What cannot be meant is told with its place; nothing is touched."""

    def refused(self, group):
        error = self.assertRaises(
            exception.InvalidDocument,
            self.service.plan,
            base.ANN,
            documents.servers(2, group),
        )
        self.assert_nothing_left()
        return {fault.path: fault.message for fault in error.faults}

    def test_a_level_that_there_is_not(self):
        group = documents.group('proximity', 'm', at_least='row')
        ((path, message),) = self.refused(group).items()
        self.assertEqual('groups[0].spec.at_least', path)
        self.assertIn('zone, rack, host', message)

    def test_a_domain_that_there_is_not(self):
        group = documents.group(
            'spread', 'm', scope='zone', max_skew=0, domains=['az1', 'az9']
        )
        ((path, message),) = self.refused(group).items()
        self.assertEqual('groups[0].spec.domains[1]', path)
        self.assertIn("no zone 'az9'", message)
        self.assertNotIn('az2', message)

    def test_names_of_hosts_and_racks_cannot_be_guessed(self):
        """Right and wrong ones are answered alike, whatever they are."""
        for scope in ('rack', 'host'):
            right = sorted(
                {
                    host.name if scope == 'host' else host.domains[scope]
                    for host in self.cloud.world.hosts.values()
                }
            )
            found = [
                self.refused(
                    documents.group(
                        'spread', 'm', scope=scope, max_skew=0, domains=names
                    )
                )
                for names in (right, ['x'], [*right, 'x'])
            ]
            ((path, message),) = found[0].items()
            self.assertEqual('groups[0].spec.domains', path)
            self.assertIn('at zone only', message)
            self.assertEqual(found[:1] * 3, found)

    def test_names_are_not_for_changes_either(self):
        view = self.build(documents.servers(2))
        group = documents.group(
            'spread', 'm', scope='host', max_skew=0, domains=['r1h1']
        )
        for ask in (self.service.update, self.service.plan_change):
            error = self.assertRaises(
                exception.InvalidDocument,
                ask,
                base.ANN,
                view['id'],
                document=documents.servers(2, group),
            )
            (fault,) = error.faults
            self.assertEqual('groups[0].spec.domains', fault.path)

    def test_domains_that_there_are(self):
        group = documents.group(
            'spread', 'm', scope='zone', max_skew=0, domains=['az1', 'az2']
        )
        view = self.build(documents.servers(4, group))
        self.assert_built(documents.servers(4, group), view)
