# SPDX-License-Identifier: Apache-2.0
"""What is shown of a record: its place as a tree, and its rules."""

import dataclasses
import datetime

from heat_vcluster import exception, load, states, views
from heat_vcluster.db import records
from heat_vcluster.placement import model as placement
from tests import base
from tests.functional import documents

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
LEVELS = ('zone', 'rack', 'host')


def cluster(**changes):
    values = dict.fromkeys(records.ClusterRecord.__dataclass_fields__)
    values.update(
        id='c',
        name='web',
        built_as='web',
        project_id='alpha',
        user_id='ann',
        metadata={},
        tags=(),
        document={'instances': []},
        status=states.ClusterStatus.ACTIVE,
        created_at=NOW,
        updated_at=NOW,
    )
    return records.ClusterRecord(**{**values, **changes})


def member(name, position=0, **domains):
    return records.MemberRecord(
        cluster_id='c',
        name=name,
        type='server',
        position=position,
        desired={},
        status=states.MemberStatus.ACTIVE,
        reason=None,
        resource_id=None,
        place='real-host' if domains else None,
        domains=domains,
        facts={},
    )


class TopologyTest(base.TestCase):
    def tree(self, *members):
        view = views.show_topology(cluster(), members, (), LEVELS)
        return view['unplaced'], [self.branch(d) for d in view['domains']]

    def branch(self, domain):
        """Return a domain in short: name, members, domains."""
        return (
            domain['name'],
            domain['members'],
            [self.branch(inner) for inner in domain['domains']],
        )

    def test_members_stand_in_the_narrowest_domain(self):
        unplaced, domains = self.tree(
            member('a', zone='z1', rack='r1', host='h1'),
            member('b', zone='z1', rack='r1', host='h1'),
            member('c', zone='z1', rack='r2', host='h2'),
            member('v', zone='z1', rack='r1'),
            member('w', zone='z2'),
            member('net'),
        )
        self.assertEqual(['net'], unplaced)
        self.assertEqual(
            [
                (
                    'z1',
                    [],
                    [
                        ('r1', ['v'], [('h1', ['a', 'b'], [])]),
                        ('r2', [], [('h2', ['c'], [])]),
                    ],
                ),
                ('z2', ['w'], []),
            ],
            domains,
        )

    def test_level_that_is_not_known_is_passed_over(self):
        _, domains = self.tree(member('a', host='h1', rack='r1'))
        self.assertEqual([('r1', [], [('h1', ['a'], [])])], domains)

    def test_rules_are_told_with_whether_they_hold(self):
        groups = load(
            documents.servers(
                3,
                documents.group('anti-affinity', 'm', scope='rack'),
                documents.group('affinity', 'm', scope='zone', weight=5),
            )
        ).groups
        plan = placement.Plan(
            {}, given_up=(placement.Violation('affinity-of-m', 1, 5),)
        )
        for made, holds in ((plan, [True, False]), (None, [None, None])):
            rules = views.show_topology(
                cluster(plan=made), (), groups, LEVELS
            )['rules']
            self.assertEqual(holds, [rule['holds'] for rule in rules])
        self.assertEqual(
            {
                'name': 'affinity-of-m',
                'policy': 'affinity',
                'scope': 'zone',
                'strict': False,
                'weight': 5,
                'members': ['m-0', 'm-1', 'm-2'],
                'holds': None,
            },
            rules[1],
        )


class ClusterViewTest(base.TestCase):
    def test_things_keep_the_name_they_were_made_with(self):
        view = views.show_cluster(
            cluster(name='new', built_as='old'), [member('a')], ()
        )
        self.assertEqual('new', view['name'])
        self.assertEqual('old-a', view['members']['a']['name'])

    def survival(self, plan, *its_members):
        asked = {
            'instances': [documents.server('db', count=3)],
            'survive': [
                {'lose': '1 rack', 'keep': {'db': 1}},
                {'lose': '1 host', 'keep': {'db': '60%'}},
            ],
        }
        view = views.show_cluster(
            cluster(plan=plan), its_members, (), load(asked).survive
        )
        return [
            (loss['says'], loss['holds'], loss['left'] and loss['left']['db'])
            for loss in view['survival']
        ]

    def test_losses_are_measured_where_members_are_now(self):
        plan = placement.Plan({})
        db = [
            member('db-0', rack='rack-1', host='host-1'),
            member('db-1', rack='rack-1', host='host-2'),
            member('db-2', rack='rack-2', host='host-3'),
        ]
        rack, host = self.survival(plan, *db)
        self.assertEqual(
            'losing any one rack leaves at least 1 of 3 db', rack[0]
        )
        self.assertEqual(
            'losing any one host leaves at least 66 % of db', host[0]
        )
        self.assertEqual((True, True), (rack[1], host[1]))
        # One is gone: another loss would be one too many.
        gone = dataclasses.replace(db[2], status=states.MemberStatus.DELETED)
        rack, host = self.survival(plan, *db[:2], gone)
        self.assertEqual({'least': 0, 'total': 3, 'unknown': 0}, rack[2])
        self.assertEqual((False, False), (rack[1], host[1]))

    def test_a_rule_is_held_by_nova_if_it_is_of_all_its_servers(self):
        def built(name, **rules):
            return dataclasses.replace(
                member(name), facts={'server_groups': rules}
            )

        view = views.show_cluster(
            cluster(),
            [
                built('a', apart=None, near=None),
                built('b', apart=None, near='there is no room'),
                built('c', near=None),
                member('d'),
            ],
            (),
        )
        self.assertEqual(
            [
                {'group': 'apart', 'held': True, 'why': None},
                {'group': 'near', 'held': False, 'why': 'there is no room'},
            ],
            view['server_groups'],
        )

    def test_nothing_is_said_of_losses_before_there_is_a_plan(self):
        self.assertEqual(
            [(None, None, None)] * 2, self.survival(None, member('db-0'))
        )

    def test_held_cluster_is_not_settled(self):
        for status in states.ClusterStatus:
            view = views.show_summary(cluster(status=status), 0, 0)
            self.assertEqual(
                status in states.SETTLED, views.is_settled(view), status
            )
            self.assertFalse(status in states.SETTLED & states.IN_PROGRESS)


class PlanViewTest(base.TestCase):
    def test_search_that_gave_up_is_no_proof(self):
        for proven, verdict in ((True, 'infeasible'), (False, 'unknown')):
            view = views.show_refusal(
                exception.NoValidPlacement(
                    ['why'], rules=['r'], repairs=['fix'], proven=proven
                )
            )
            self.assertEqual(
                (verdict, ['why'], ['r'], ['fix']),
                (
                    view['verdict'],
                    view['reasons'],
                    view['rules'],
                    view['repairs'],
                ),
            )

    def test_held_plan_has_no_real_name(self):
        view = views.show_held_plan(
            cluster(expires_at=NOW), [member('a', host='host-1')]
        )
        self.assertEqual(
            {'a': {'domains': {'host': 'host-1'}}}, view['members']
        )
        self.assertNotIn('real', repr(view))
