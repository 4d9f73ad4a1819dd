# SPDX-License-Identifier: Apache-2.0
"""Documents of problems and plans: read strictly, written without loss."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib

import hypothesis
import numpy as np
from hypothesis import strategies as st

from heat_vcluster.placement import (
    checker,
    columns,
    joint,
    model,
    policies,
)
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.numbers import compiled
from tests import base, placement_oracle
from tests.unit.placement import worlds

SAVED = pathlib.Path(__file__).parents[2] / 'problems'

SMALL = {
    'format': 'vcluster-problem/1',
    'resources': ['vcpu', 'ram_mb', 'disk_gb'],
    'topology': {
        'levels': ['zone', 'rack'],
        'domains': {
            'zone': {'name': ['z0', 'z1'], 'parent': [None, None]},
            'rack': {'name': ['r0', 'r1', 'bare'], 'parent': [0, 0, 1]},
        },
        'hosts': {
            'name': ['h0', 'h1', 'h2'],
            'domain': [0, 0, 1],
            'vcpu': [10, 12, 9],
            'ram_mb': [65536, 65536, 65536],
            'disk_gb': [400, 400, 400],
            'cap_vcpu': [32, 32, 32],
            'cap_ram_mb': [131072, 131072, 131072],
            'cap_disk_gb': [900, 900, 900],
            'traitset': [0, 0, 1],
            'busy': [True, False, True],
        },
        'traitsets': [[], ['STORAGE_SSD']],
        'pools': {
            'name': ['r0-pool', 'archive', 'bare-pool', 'h2-disk'],
            'free_gb': [500, 9000, 10, 20],
            'types': [['ssd'], ['hdd'], [], ['nvme']],
            'domain': [
                {'level': 'rack', 'index': 0},
                None,
                {'level': 'rack', 'index': 2},
                {'host': 'h2'},
            ],
        },
    },
    'request': {
        'members': [
            {
                'name': 'db',
                'kind': 'server',
                'vcpu': 8,
                'ram_mb': 16384,
                'disk_gb': 40,
                'require': ['STORAGE_SSD'],
                'within': {'level': 'zone', 'name': 'z0'},
            },
            {
                'name': 'web0',
                'kind': 'server',
                'vcpu': 6,
                'ram_mb': 12288,
                'disk_gb': 40,
            },
            {
                'name': 'web1',
                'kind': 'server',
                'vcpu': 6,
                'ram_mb': 12288,
                'disk_gb': 40,
                'forbid': ['STORAGE_SSD'],
                'within': None,
            },
            {'name': 'data', 'kind': 'volume', 'size_gb': 200, 'type': 'ssd'},
            {'name': 'old', 'kind': 'volume', 'size_gb': 1, 'type': None},
        ],
        'groups': [
            {
                'id': 'cell',
                'policy': 'affinity',
                'scope': 'rack',
                'members': ['db', 'webs', 'data'],
                'hard': True,
            },
            {
                'id': 'webs',
                'policy': 'anti-affinity',
                'scope': 'host',
                'members': ['web0', 'web1'],
                'hard': False,
                'weight': 3,
            },
            {
                'id': 'wide',
                'policy': 'spread',
                'scope': 'zone',
                'members': ['cell', 'webs', 'old'],
                'hard': True,
                'weight': 5,
                'max_skew': 4,
                'min_domains': None,
                'domains': ['z1', 'z0'],
            },
            {
                'id': 'close',
                'policy': 'proximity',
                'members': ['cell'],
                'hard': False,
                'weight': 0,
                'at_least': 'zone',
            },
            {
                'id': 'alone',
                'policy': 'exclusive',
                'scope': 'host',
                'members': ['db'],
                'hard': False,
                'weight': 1,
            },
        ],
        'objective': {'then': 'pack'},
    },
}


def changed(*path, to):
    """Return the small problem with something else at one place."""
    document = copy.deepcopy(SMALL)
    part = document
    for key in path[:-1]:
        part = part[key]
    if to is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return document


def told(document):
    """Return path -> message of all faults."""
    try:
        documents.problem_from(document)
    except documents.BadProblem as error:
        return {fault.path: fault.message for fault in error.faults}
    return {}


def some(amounts):
    """Leave out what there is none of: that is as good as unknown."""
    return {key: amount for key, amount in amounts.items() if amount}


def hosts_of(problem):
    return [
        (
            host.name,
            dict(host.domains),
            some(host.free),
            some(host.total),
            host.traits,
            host.is_busy,
        )
        for host in problem.snapshot.hosts
    ]


class ReadingTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.problem = documents.problem_from(SMALL)

    def test_hosts_are_columns_and_read_as_hosts(self):
        hosts = self.problem.snapshot.hosts
        self.assertIsInstance(hosts, columns.HostColumns)
        self.assertEqual(
            model.Host(
                'h2',
                {'zone': 'z0', 'rack': 'r1'},
                {'VCPU': 9, 'MEMORY_MB': 65536, 'DISK_GB': 400},
                {'VCPU': 32, 'MEMORY_MB': 131072, 'DISK_GB': 900},
                frozenset({'STORAGE_SSD'}),
                True,
            ),
            hosts[2],
        )

    def test_domains_that_are_empty_keep_their_names(self):
        names, numbers = self.problem.snapshot.hosts.domains['zone']
        self.assertEqual(('z0', 'z1'), names)
        self.assertEqual([0, 0, 0], numbers.tolist())

    def test_pools_have_all_wider_domains_even_where_no_host_is(self):
        pools = {pool.name: pool for pool in self.problem.snapshot.pools}
        self.assertEqual(
            {'zone': 'z0', 'rack': 'r0'}, pools['r0-pool'].domains
        )
        self.assertEqual({}, pools['archive'].domains)
        self.assertEqual(
            {'zone': 'z1', 'rack': 'bare'}, pools['bare-pool'].domains
        )
        self.assertEqual('h2', pools['h2-disk'].host)
        self.assertEqual(
            {'zone': 'z0', 'rack': 'r1'}, pools['h2-disk'].domains
        )
        self.assertEqual(frozenset(), pools['bare-pool'].types)

    def test_members(self):
        db, web0, web1, data, old = self.problem.demands
        self.assertEqual(
            model.ServerDemand(
                'db',
                {'VCPU': 8, 'MEMORY_MB': 16384, 'DISK_GB': 40},
                require=frozenset({'STORAGE_SSD'}),
                within=('zone', 'z0'),
            ),
            db,
        )
        self.assertEqual(frozenset({'STORAGE_SSD'}), web1.forbid)
        self.assertIsNone(web0.within)
        self.assertEqual(model.VolumeDemand('data', 200, 'ssd'), data)
        self.assertIsNone(old.type)

    def test_groups_may_name_groups_that_come_later(self):
        cell, webs, wide, close, _ = self.problem.rules
        self.assertEqual((('db',), ('web0', 'web1'), ('data',)), cell.units)
        self.assertIsNone(cell.weight)
        self.assertEqual(3, webs.weight)
        self.assertEqual(('db', 'web0', 'web1', 'data', 'old'), wide.members)
        self.assertEqual(
            {'max_skew': 4, 'domains': ('z1', 'z0')}, wide.options
        )
        self.assertIsNone(wide.weight)
        self.assertEqual({'at_least': 'zone'}, close.options)
        self.assertEqual(0, close.weight)

    def test_the_objective(self):
        self.assertEqual('pack', self.problem.objective)

    def test_a_deep_nest_of_groups(self):
        document = copy.deepcopy(SMALL)
        groups = document['request']['groups']
        below = 'webs'
        for number in range(3000):
            fresh = f'deep-{number}'
            groups.append({**groups[1], 'id': fresh, 'members': [below]})
            below = fresh
        problem = documents.problem_from(document)
        self.assertEqual(('web0', 'web1'), problem.rules[-1].members)

    def test_volumes_without_any_pool_are_impossible_not_unsteered(self):
        document = copy.deepcopy(SMALL)
        for column in document['topology']['pools'].values():
            column.clear()
        problem = documents.problem_from(document)
        numbers = compiled.Compiled(problem, policies.load())
        stuck = {numbers.members[member] for member in numbers.stuck()}
        self.assertEqual({'data', 'old'}, stuck)

    def test_a_cloud_of_100000_hosts_is_read_by_columns(self):
        count = 100_000
        document = copy.deepcopy(SMALL)
        hosts = document['topology']['hosts']
        for key, column in hosts.items():
            hosts[key] = [column[0]] * count
        hosts['name'] = [f'host-{number}' for number in range(count)]
        document['topology']['pools']['domain'][3] = None
        problem = documents.problem_from(document)
        free = problem.snapshot.hosts.free['VCPU']
        self.assertEqual(np.int64, free.dtype)
        self.assertEqual(10 * count, int(free.sum()))


class FaultsTestCase(base.TestCase):
    def test_the_small_problem_has_none(self):
        self.assertEqual({}, told(SMALL))

    def assertTold(self, place, *path, to):
        """Something else at the path is a fault that is told at the place."""
        found = told(changed(*path, to=to))
        self.assertIn(place, found, f'{path} = {to!r}: {found}')

    def test_what_is_no_problem_at_all(self):
        for document in (None, [], 3, 'problem', {}):
            self.assertIn('', told(document))
        self.assertTold('format', 'format', to='vcluster-problem/2')
        self.assertTold('resources', 'resources', to=['vcpu'])
        self.assertTold('meta', 'meta', to=[])
        self.assertTold('extra', 'extra', to=1)
        self.assertTold('', 'topology', to=...)

    def test_topology(self):
        for place, path, to in (
            ('levels', ['levels'], []),
            ('levels', ['levels'], ['zone', 'host']),
            ('levels[1]', ['levels'], ['zone', 'zone']),
            ('levels', ['levels'], 'zone'),
            ('domains', ['domains', 'rack'], ...),
            ('domains.row', ['domains', 'row'], {}),
            ('domains.zone.parent[0]', ['domains', 'zone', 'parent', 0], 0),
            ('domains.rack.parent[1]', ['domains', 'rack', 'parent', 1], 2),
            ('domains.rack.parent[1]', ['domains', 'rack', 'parent', 1], None),
            ('domains.rack.parent', ['domains', 'rack', 'parent'], [0, 0]),
            ('domains.rack.name[1]', ['domains', 'rack', 'name', 1], 'r0'),
            ('hosts', ['hosts', 'busy'], ...),
            ('hosts.colour', ['hosts', 'colour'], []),
            ('hosts.busy', ['hosts', 'busy'], [True]),
            ('hosts.busy[1]', ['hosts', 'busy', 1], 1),
            ('hosts.busy[1]', ['hosts', 'busy', 1], [True]),
            ('hosts.name[1]', ['hosts', 'name', 1], ''),
            ('hosts.name[1]', ['hosts', 'name', 1], 'h0'),
            ('hosts.name[1]', ['hosts', 'name', 1], 7),
            ('hosts.vcpu[2]', ['hosts', 'vcpu', 2], -1),
            ('hosts.vcpu[2]', ['hosts', 'vcpu', 2], 1.0),
            ('hosts.vcpu[2]', ['hosts', 'vcpu', 2], True),
            ('hosts.vcpu[2]', ['hosts', 'vcpu', 2], 33),
            ('hosts.cap_vcpu[2]', ['hosts', 'cap_vcpu', 2], 10**30),
            ('hosts.domain[0]', ['hosts', 'domain', 0], 3),
            ('hosts.traitset[0]', ['hosts', 'traitset', 0], 2),
            ('traitsets[1][1]', ['traitsets', 1], ['A', 'A']),
            ('traitsets', ['traitsets'], {}),
            ('pools.name[0]', ['pools', 'name', 0], 'h0'),
            ('pools.free_gb[0]', ['pools', 'free_gb', 0], None),
            ('pools.types[0]', ['pools', 'types', 0], None),
            ('pools.domain', ['pools', 'domain'], [None]),
            ('pools.domain[0].host', ['pools', 'domain', 0], {'host': 'h9'}),
            ('pools.domain[0]', ['pools', 'domain', 0], {'level': 'rack'}),
            (
                'pools.domain[0].level',
                ['pools', 'domain', 0],
                {'level': 'host', 'index': 0},
            ),
            (
                'pools.domain[0].index',
                ['pools', 'domain', 0],
                {'level': 'rack', 'index': 3},
            ),
        ):
            self.assertTold(f'topology.{place}', 'topology', *path, to=to)

    def test_members(self):
        for place, path, to in (
            ('members', [], {}),
            ('members[0]', [0], 'db'),
            ('members[0].kind', [0, 'kind'], 'network'),
            ('members[0]', [0, 'vcpu'], ...),
            ('members[0].vcpu', [0, 'vcpu'], '8'),
            ('members[0].size_gb', [0, 'size_gb'], 8),
            ('members[0].require', [0, 'require'], None),
            ('members[0].forbid[1]', [0, 'forbid'], ['A', 'A']),
            ('members[0].within.level', [0, 'within', 'level'], 'row'),
            ('members[0].within.name', [0, 'within', 'name'], 'z9'),
            ('members[0].within', [0, 'within', 'name'], ...),
            ('members[1].name', [1, 'name'], 'db'),
            ('members[1].name', [1, 'name'], ''),
            ('members[3].type', [3, 'type'], ''),
            ('members[3].size_gb', [3, 'size_gb'], -1),
            (
                'members[3].within.name',
                [3, 'within'],
                {'level': 'host', 'name': 'h9'},
            ),
        ):
            self.assertTold(
                f'request.{place}', 'request', 'members', *path, to=to
            )

    def test_groups(self):
        for place, path, to in (
            ('', [], {}),
            ('[0]', [0, 'id'], ...),
            ('[0].id', [0, 'id'], 'fit:all'),
            ('[0].id', [0, 'id'], 'db'),
            ('[1].id', [1, 'id'], 'cell'),
            ('[0].policy', [0, 'policy'], 'near'),
            ('[0].scope', [0, 'scope'], 'rak'),
            ('[0].scope', [0, 'scope'], None),
            ('[0]', [0, 'scope'], ...),
            ('[0].hard', [0, 'hard'], 1),
            ('[0].at_least', [0, 'at_least'], 'rack'),
            ('[1]', [1, 'weight'], ...),
            ('[1].weight', [1, 'weight'], None),
            ('[2].weight', [2, 'weight'], -1),
            ('[2].weight', [2, 'weight'], 10**6 + 1),
            ('[0].members', [0, 'members'], []),
            ('[0].members[1]', [0, 'members'], ['db', 'db']),
            ('[0].members[0]', [0, 'members', 0], 'dc'),
            ('[2].max_skew', [2, 'max_skew'], -1),
            ('[2].max_skew', [2, 'max_skew'], 10**12 + 1),
            ('[2].domains[0]', [2, 'domains', 0], 'r0'),
            ('[3].scope', [3, 'scope'], 'rack'),
            ('[3].hard', [3, 'hard'], True),
            ('[3].at_least', [3, 'at_least'], 'row'),
        ):
            self.assertTold(
                f'request.groups{place}', 'request', 'groups', *path, to=to
            )

    def test_objective(self):
        self.assertTold(
            'request.objective.then', 'request', 'objective', 'then', to='spin'
        )
        self.assertTold('request.objective', 'request', 'objective', to=None)

    def test_groups_that_contain_themselves(self):
        document = changed('request', 'groups', 1, 'members', to=['cell'])
        ((path, message),) = told(document).items()
        self.assertIn(
            path, ['request.groups[0].members', 'request.groups[1].members']
        )
        self.assertIn('contains itself', message)

    def test_units_of_anti_affinity_share_no_member(self):
        document = changed(
            'request', 'groups', 0, 'policy', to='anti-affinity'
        )
        self.assertEqual({}, told(document))
        document['request']['groups'][0]['members'].append('web1')
        self.assertEqual(
            {
                'request.groups[0].members[3]': "'web1' is in another of the "
                'units'
            },
            told(document),
        )

    def solved(self, document):
        """Return what the checker tells of the plan: it is obeyed."""
        problem = documents.problem_from(document)
        answer = joint.JointSolver().solve(problem, explain=False)
        self.assertEqual(model.Verdict.FEASIBLE, answer.verdict)
        report = checker.check(problem, answer.plan, bound=answer.bound)
        self.assertEqual((), report.violations)
        return report

    def test_a_limit_may_be_as_good_as_none(self):
        for key in ('max_skew', 'max_per_domain'):
            document = changed('request', 'groups', 2, key, to=2**31 - 1)
            for group in document['request']['groups'][:4]:
                group.update(hard=False, weight=10**6)
            self.solved(document)

    def test_the_largest_costs_are_added_up_exactly(self):
        """A weight and a limit at their bounds, beside a weight of 1."""
        document = changed('request', 'groups', 2, 'min_domains', to=10**6)
        for group in document['request']['groups'][:4]:
            group.update(hard=False, weight=10**6)
        report = self.solved(document)
        self.assertGreater(report.soft_cost, 10**11)

    def test_all_faults_are_told_at_once(self):
        document = changed('topology', 'hosts', 'busy', 0, to='yes')
        document['topology']['pools']['free_gb'][0] = -1
        document['request']['members'][1]['vcpu'] = None
        document['request']['groups'][0]['scope'] = 'rak'
        document['request']['groups'][3]['members'] = ['nobody']
        document['request']['objective'] = {}
        self.assertEqual(
            {
                'topology.hosts.busy[0]',
                'topology.pools.free_gb[0]',
                'request.members[1].vcpu',
                'request.groups[0].scope',
                'request.groups[3].members[0]',
                'request.objective',
            },
            set(told(document)),
        )

    def test_of_a_column_that_is_wrong_throughout_a_few_are_told(self):
        document = changed('topology', 'hosts', 'vcpu', to=['x'] * 1000)
        for key, column in document['topology']['hosts'].items():
            if key not in ('name', 'vcpu'):
                document['topology']['hosts'][key] = [column[0]] * 1000
        document['topology']['hosts']['name'] = [f'h{i}' for i in range(1000)]
        self.assertEqual(6, len(told(document)))


@st.composite
def broken(draw):
    """Give the small problem with something put where it does not belong."""
    document = copy.deepcopy(SMALL)
    part, key = document, draw(st.sampled_from(sorted(document)))
    while isinstance(part[key], (dict, list)) and part[key]:
        if not draw(st.booleans()):
            break
        part = part[key]
        keys = sorted(part) if isinstance(part, dict) else range(len(part))
        key = draw(st.sampled_from(keys))
    part[key] = draw(
        st.sampled_from(
            [
                None,
                True,
                -1,
                0,
                10**20,
                1.5,
                'z',
                '',
                [],
                {},
                [[]],
                ['a'],
                [None],
                {'a': 1},
                float('nan'),
            ]
        )
    )
    return document


class AnythingTestCase(base.TestCase):
    @hypothesis.settings(
        max_examples=400, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(broken())
    def test_anything_is_read_or_refused_with_a_place(self, document):
        for fault in told(document).items():
            self.assertTrue(all(isinstance(part, str) for part in fault))

    @hypothesis.settings(
        max_examples=300, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(st.data())
    def test_so_is_what_was_saved_of_a_live_problem(self, data):
        document = json.loads(json.dumps(documents.problem_of(live())))
        part, key = document['meta'], 'heat_vcluster'
        while isinstance(part[key], (dict, list)) and part[key]:
            if not data.draw(st.booleans()):
                break
            part = part[key]
            keys = sorted(part) if isinstance(part, dict) else range(len(part))
            key = data.draw(st.sampled_from(keys))
        part[key] = data.draw(
            st.sampled_from([None, -7, 10**30, 'z', [], {}, [['a']], [-2]])
        )
        told(document)


def live():
    """Return a problem with about all that the format has no words for."""
    hosts = [
        *worlds.racks(2, 2),
        worlds.host('lost', 4, zone='z', PCI_DEVICE=2),
        worlds.host('split', 4, rack='r0', zone='y'),
        worlds.host('full', 0, total=4, rack='r1'),
    ]
    pools = [
        worlds.pool('ceph', None),
        worlds.pool('gone', 10, at='retired', rack='r1'),
        worlds.pool('lvm', 10, types=['ssd'], at='r0-h0', rack='r0'),
    ]
    some = ['r0-h0', 'r1-h0', 'retired']
    demands = [
        worlds.server('a', 1, on=some, PCI_DEVICE=1),
        model.ServerDemand(
            'b',
            {'VCPU': 2},
            suitable=frozenset(some),
            within=('rack', 'r0'),
        ),
        worlds.server('c', 2),
        model.VolumeDemand('v', 5, 'ssd', frozenset({'lvm', 'ceph'})),
        model.VolumeDemand('w', 5),
    ]
    rules = [
        worlds.rule('anti-affinity', 'rack', ('a', 'b'), ('c', 'old')),
        worlds.rule('proximity', 'rack', 'a', 'b', name='near', weight=2),
        worlds.rule('affinity', 'rack', 'a', 'w', name='c'),
    ]
    return model.Problem(
        worlds.snapshot(hosts, pools),
        tuple(demands),
        tuple(rules),
        {'c': 'r1-h1', 'old': 'r0-h1', 'w': 'gone', 'older': 'gone'},
        'balance',
        (model.Budget('share', 'rack', {'r0': {'VCPU': 3}}),),
    )


class WritingTestCase(base.TestCase):
    def assertSame(self, problem, read):
        self.assertEqual(problem.snapshot.levels, read.snapshot.levels)
        self.assertEqual(hosts_of(problem), hosts_of(read))
        self.assertEqual(problem.snapshot.pools, read.snapshot.pools)
        self.assertEqual(problem.demands, read.demands)
        self.assertEqual(problem.rules, read.rules)
        self.assertEqual(problem.pinned, read.pinned)
        self.assertEqual(problem.budgets, read.budgets)
        self.assertEqual(problem.objective, read.objective)

    def again(self, problem):
        text = json.dumps(documents.problem_of(problem))
        return documents.problem_from(json.loads(text))

    def test_a_document_reads_back_without_help(self):
        problem = documents.problem_from(SMALL)
        written = documents.problem_of(problem, {'seed': 3})
        self.assertEqual({'seed': 3}, written['meta'])
        self.assertSame(problem, documents.problem_from(written))

    def test_saved_problems_read_back(self):
        paths = sorted(SAVED.glob('*.json'))
        self.assertTrue(paths)
        for path in paths:
            problem = documents.problem_from(json.loads(path.read_text()))
            self.assertSame(problem, self.again(problem))

    def test_a_live_problem_reads_back_as_it_was(self):
        problem = live()
        self.assertSame(problem, self.again(problem))

    def test_less_than_nothing_is_written_as_nothing(self):
        problem = model.Problem(
            worlds.snapshot(
                [worlds.host('over', -2, total=4, rack='r1')],
                [worlds.pool('over-pool', -5)],
            ),
            (worlds.server('a'),),
            (),
        )
        snapshot = self.again(problem).snapshot
        self.assertEqual(0, snapshot.hosts[0].free['VCPU'])
        self.assertEqual(4, snapshot.hosts[0].total['VCPU'])
        self.assertEqual(0, snapshot.pools[0].free_gb)

    def test_a_live_problem_means_the_same_to_the_search(self):
        kinds = policies.load()
        was = compiled.Compiled(live(), kinds)
        now = compiled.Compiled(self.again(live()), kinds)
        self.assertEqual(was.members, now.members)
        self.assertEqual(was.resources, now.resources)
        for k in range(len(was.scopes)):
            self.assertEqual(list(was.domain[k]), list(now.domain[k]))
            self.assertEqual(
                list(was.domain_names[k]), list(now.domain_names[k])
            )
        for member in range(len(was.members)):
            self.assertEqual(
                list(was.places(member)), list(now.places(member))
            )

    def test_it_is_well_formed_for_readers_that_know_no_more(self):
        document = documents.problem_of(live())
        del document['meta']
        plain = documents.problem_from(document)
        members = {demand.member for demand in plain.demands}
        self.assertEqual({*'abcvw', 'old', 'older'}, members)
        a, b = plain.demands[:2]
        able = {
            host.name
            for host in plain.snapshot.hosts
            if a.require <= host.traits
        }
        self.assertEqual({'r0-h0', 'r1-h0'}, able)
        self.assertEqual(('rack', 'r0'), b.within)

    def test_volumes_that_are_not_steered_stay_so(self):
        problem = model.Problem(
            worlds.snapshot(worlds.racks(1, 1)),
            (worlds.server('a'), model.VolumeDemand('v', 5, 'ssd')),
            (),
        )
        self.assertSame(problem, self.again(problem))
        document = documents.problem_of(problem)
        del document['meta']
        found = placement_oracle.best(documents.problem_from(document))
        self.assertEqual({'a', 'v'}, set(found.placement))

    @hypothesis.settings(
        max_examples=300, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(
        st.builds(
            placement_oracle.drawn,
            st.randoms(use_true_random=False),
            st.booleans(),
        )
    )
    def test_any_problem_reads_back_as_it_was(self, problem):
        self.assertSame(problem, self.again(problem))

    @hypothesis.settings(
        max_examples=100, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(
        st.builds(
            placement_oracle.drawn,
            st.randoms(use_true_random=False),
            st.just(False),
        )
    )
    def test_what_the_format_can_say_needs_nothing_beyond_it(self, problem):
        """The best of the plain document is the best of the problem."""
        problem = dataclasses.replace(
            problem, rules=tuple(filter(has_words, problem.rules))
        )
        document = documents.problem_of(problem)
        del document['meta']
        best = placement_oracle.best(problem)
        plain = placement_oracle.best(documents.problem_from(document))
        self.assertEqual(best is None, plain is None)
        if best is not None:
            self.assertEqual(
                (best.soft_cost, best.objective),
                (plain.soft_cost, plain.objective),
            )


def has_words(rule):
    """Tell whether the format can say the rule: the loss of one domain."""
    return rule.policy != 'survive' or (
        rule.weight is None
        and rule.options['lose'] == 1
        and rule.options['keep'] < len(rule.members)
    )


class PlanTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.problem = documents.problem_from(SMALL)

    def test_a_plan_with_all_it_claims(self):
        answer = model.Answer(
            model.Verdict.FEASIBLE,
            model.Plan(
                {'db': 'h0'},
                7,
                2,
                (model.Violation('webs', 1, 3, (('host', 'h0'),)),),
                (('near', 'data'),),
            ),
            model.Bound(6, None),
            seconds={'first_plan': 0.1},
        )
        document = documents.plan_of(self.problem, answer, {'seed': 4})
        document = json.loads(json.dumps(document))
        meta = document.pop('meta')
        self.assertEqual(
            {
                'format': 'vcluster-plan/1',
                'status': 'feasible',
                'placement': {'db': 'h0'},
                'soft_cost': 7,
                'objective': 2,
                'bound': {'soft_cost': 6, 'objective': None},
                'conflict': None,
            },
            document,
        )
        self.assertEqual(4, meta['seed'])
        self.assertEqual({'first_plan': 0.1}, meta['seconds'])
        self.assertEqual(
            [
                {
                    'rule': 'webs',
                    'amount': 1,
                    'cost': 3,
                    'where': [['host', 'h0']],
                }
            ],
            meta['given_up'],
        )
        self.assertEqual(
            [{'rule': 'near', 'member': 'data'}], meta['unsteered']
        )
        read = documents.plan_from(document)
        self.assertEqual(model.Verdict.FEASIBLE, read.verdict)
        self.assertEqual({'db': 'h0'}, read.plan.placement)
        self.assertEqual((7, 2), (read.plan.soft_cost, read.plan.objective))
        self.assertEqual(model.Bound(6, None), read.bound)

    def conflict(self, **more):
        answer = model.Answer(
            model.Verdict.INFEASIBLE,
            bound=model.Bound(3),
            rules=('cell', 'fit:db'),
            reasons=('yours',),
            operator_reasons=('numbers',),
            **more,
        )
        return documents.plan_of(self.problem, answer)

    def test_a_conflict_is_claimed_if_it_is_minimal(self):
        document = self.conflict(is_minimal=True)
        self.assertEqual(
            {'rules': ['cell', 'fit:db'], 'why': 'numbers'},
            document['conflict'],
        )
        self.assertIsNone(document['bound'])
        self.assertIsNone(document['placement'])
        read = documents.plan_from(document)
        self.assertEqual(('cell', 'fit:db'), read.rules)
        self.assertIsNone(read.plan)

    def test_another_is_only_told(self):
        document = self.conflict()
        self.assertIsNone(document['conflict'])
        self.assertEqual(['cell', 'fit:db'], document['meta']['rules'])

    def test_a_limit_of_the_provider_is_no_rule_of_the_format(self):
        answer = model.Answer(
            model.Verdict.INFEASIBLE,
            rules=('limit:share', 'fit:db'),
            is_minimal=True,
        )
        document = documents.plan_of(self.problem, answer)
        self.assertIsNone(document['conflict'])
        self.assertIn('limit:share', document['meta']['rules'])

    def test_repairs_are_told(self):
        repair = model.Repair('fewer', 'db', 'one less', value=1)
        document = self.conflict(repairs=(repair,))
        (told_,) = document['meta']['repairs']
        self.assertEqual('one less', told_['text'])

    def test_malformed_plans_are_refused_with_a_place(self):
        right = {'format': 'vcluster-plan/1', 'status': 'unknown'}
        documents.plan_from(right)
        for place, key, value in (
            ('format', 'format', 'x'),
            ('status', 'status', 'maybe'),
            ('placement', 'placement', []),
            ('placement.db', 'placement', {'db': 3}),
            ('soft_cost', 'soft_cost', -1),
            ('bound', 'bound', {}),
            ('bound.soft_cost', 'bound', {'soft_cost': '', 'objective': 1}),
            ('conflict.rules', 'conflict', {'rules': '', 'why': ''}),
            ('conflict.why', 'conflict', {'rules': [], 'why': None}),
            ('extra', 'extra', 1),
        ):
            error = self.assertRaises(
                documents.BadProblem,
                documents.plan_from,
                {**right, key: value},
            )
            self.assertIn(place, [fault.path for fault in error.faults])

    def test_the_checker_agrees_with_a_plan_read_back(self):
        path = SAVED / 'webs-share-a-host.json'
        problem = documents.problem_from(json.loads(path.read_text()))
        best = placement_oracle.best(problem)
        report = checker.judge(problem, best.placement)
        plan = model.Plan(best.placement, report.soft_cost, report.objective)
        answer = model.Answer(model.Verdict.FEASIBLE, plan)
        read = documents.plan_from(documents.plan_of(problem, answer))
        self.assertEqual(
            (), checker.judge(problem, read.plan.placement).violations
        )
        self.assertEqual(3, read.plan.soft_cost)
