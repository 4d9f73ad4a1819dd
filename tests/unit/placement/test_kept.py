# SPDX-License-Identifier: Apache-2.0
"""What a saved problem has beyond the format: held against it, each part."""

from __future__ import annotations

import copy
import json

from heat_vcluster.placement import checker, joint, policies
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.numbers import compiled
from tests import base
from tests.unit.placement import test_format

HERE = 'meta.heat_vcluster'
UNKNOWN = 'nobody knows'
WRONG = (None, '', -1, 10**30, 0.5, float('inf'), True, 'a\0b', [], {}, [[]])


def saved():
    """Return the document of a problem that has all parts, as it is read."""
    return json.loads(json.dumps(documents.problem_of(test_format.live())))


def changed(document, *path, to):
    """Return the document with something else at one place of the part."""
    document = copy.deepcopy(document)
    part = document['meta']['heat_vcluster']
    for key in path[:-1]:
        part = part[key]
    if to is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return document


def places(part, path=()):
    """Give the path of each value in a part."""
    for key in part if isinstance(part, dict) else range(len(part)):
        yield (*path, key)
        if isinstance(part[key], dict | list):
            yield from places(part[key], (*path, key))


class KeptTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.document = saved()
        self.part = self.document['meta']['heat_vcluster']

    def assertTold(self, place, *path, to):
        """Something else at the path is told at the place, and alone."""
        found = test_format.told(changed(self.document, *path, to=to))
        self.assertEqual({f'{HERE}{place}'}, set(found), f'{path} = {to!r}')

    def test_what_was_saved_has_no_faults(self):
        self.assertEqual({}, test_format.told(self.document))
        parts = 'free total domains pools demands sets undemanded pinned'
        for key in (*parts.split(), 'rules', 'budgets'):
            self.assertIn(key, self.part)

    def test_the_part_itself(self):
        for value in (None, [], 'x', 3):
            self.document['meta']['heat_vcluster'] = value
            self.assertEqual(
                {HERE: 'not an object'}, test_format.told(self.document)
            )
        self.document['meta']['heat_vcluster'] = {'colour': 1}
        self.assertEqual(
            {f'{HERE}.colour': 'unknown key'}, test_format.told(self.document)
        )

    def test_hosts(self):
        self.assertTold('.free.VCPU[0]', 'free', 'VCPU', 0, to=-1)
        self.assertTold('.free.VCPU[0]', 'free', 'VCPU', 0, to=10**30)
        self.assertTold('.free.VCPU[0]', 'free', 'VCPU', 0, to=99)
        self.assertTold('.free.VCPU', 'free', 'VCPU', to=[1])
        self.assertTold('.free.VCPU', 'free', 'VCPU', to=None)
        self.assertTold('.free', 'free', to=[])
        self.assertTold('.total.VCPU[1]', 'total', 'VCPU', 1, to='4')
        self.assertTold('.total.VCPU[1]', 'total', 'VCPU', 1, to=True)
        rack = 'domains', 'rack'
        self.assertTold('.domains.rack.number[0]', *rack, 'number', 0, to=-2)
        self.assertTold('.domains.rack.number[0]', *rack, 'number', 0, to=9)
        self.assertTold('.domains.rack.name[1]', *rack, 'name', 1, to='')
        self.assertTold('.domains.rack', *rack, 'name', to=...)
        self.assertTold('.domains.row', 'domains', 'row', to=self.rack())
        traits = {'sets': [[]], 'number': [0] * 7}
        for place, key, to in (
            ('.sets[0]', 'sets', [None]),
            ('.number[6]', 'number', [0] * 6 + [1]),
            ('.number', 'number', [0]),
            ('', 'number', ...),
        ):
            part = {**traits, key: to}
            part = {key: value for key, value in part.items() if value != ...}
            self.assertTold(f'.traits{place}', 'traits', to=part)

    def rack(self):
        return self.part['domains']['rack']

    def test_levels(self):
        self.assertTold('.levels', 'levels', to='zone')
        self.assertTold('.levels[1]', 'levels', to=['zone', 'zone'])
        self.assertTold('.levels', 'levels', to=['zone', 'rack', 'host'])

    def test_groups_of_the_document_need_what_they_name(self):
        document = copy.deepcopy(test_format.SMALL)
        kept = {'levels': ['zone'], 'domains': {}, 'pools': []}
        document['meta'] = {'heat_vcluster': kept}
        found = test_format.told(document)
        self.assertIn("no level 'rack'", found[f'{HERE}.levels'])
        self.assertIn("no zone 'z", found[f'{HERE}.domains'])

    def test_pools(self):
        for place, path, to in (
            ('', [], None),
            ('[0]', [0], 'ceph'),
            ('[0]', [0, 'types'], ...),
            ('[0].size', [0, 'size'], 3),
            ('[0].name', [0, 'name'], 7),
            ('[1].name', [1, 'name'], 'ceph'),
            ('[1].free_gb', [1, 'free_gb'], -1),
            ('[1].free_gb', [1, 'free_gb'], '1'),
            ('[2].types[0]', [2, 'types', 0], None),
            ('[1].domains.rack', [1, 'domains', 'rack'], ''),
            ('[1].domains.row', [1, 'domains', 'row'], 'r'),
            ('[1].host', [1, 'host'], 3),
        ):
            self.assertTold(f'.pools{place}', 'pools', *path, to=to)

    def test_members(self):
        a, v = ('demands', 'a'), ('demands', 'v')
        for place, path, to in (
            ('.demands', ['demands'], []),
            ('.demands.a', [*a, 'within'], ...),
            (f'.demands.{UNKNOWN}', ['demands', UNKNOWN], {}),
            ('.demands.a.resources', [*a, 'resources'], [1]),
            ('.demands.a.resources.VCPU', [*a, 'resources', 'VCPU'], -1),
            ('.demands.a.candidates', [*a, 'candidates'], -1),
            ('.demands.a.candidates', [*a, 'candidates'], 99),
            ('.demands.a.suitable', [*a, 'suitable'], True),
            ('.demands.a.require[0]', [*a, 'require'], ['']),
            ('.demands.a.within', [*a, 'within'], 'r0'),
            ('.demands.a.within[0]', [*a, 'within'], ['row', 'r0']),
            ('.demands.a.within[1]', [*a, 'within'], ['rack', '']),
            ('.demands.v.size_gb', [*v, 'size_gb'], None),
            ('.demands.v.type', [*v, 'type'], 3),
            ('.sets', ['sets'], {}),
            ('.sets[0]', ['sets', 0], 'r0-h0'),
            ('.sets[0][1]', ['sets', 0], ['r0-h0', 'r0-h0']),
            ('.undemanded[0]', ['undemanded'], ['b', 'old', 'older']),
            ('.pinned', ['pinned'], None),
            ('.pinned.c', ['pinned', 'c'], 'h9'),
            ('.pinned.c', ['pinned', 'c'], 'ceph'),
            ('.pinned.w', ['pinned', 'w'], 'r0-h0'),
            (f'.pinned.{UNKNOWN}', ['pinned', UNKNOWN], 'r0-h0'),
        ):
            self.assertTold(place, *path, to=to)

    def test_what_is_not_there_may_be_named_where_that_means_something(self):
        """The host may be down, the last of its rack, when it is asked."""
        a = ('demands', 'a')
        for path, to in (
            ([*a, 'within'], ['rack', 'r9']),
            (['sets', 0], ['h9']),
            (['pools', 1, 'host'], 'h9'),
            (['budgets', 0, 'room'], {'r9': {'VCPU': 3}}),
        ):
            document = changed(self.document, *path, to=to)
            self.assertEqual({}, test_format.told(document))

    def test_rules(self):
        for place, path, to in (
            ('', [], {}),
            ('[0]', [0], None),
            ('[0]', [0, 'scope'], ...),
            ('[0].name', [0, 'name'], ''),
            ('[1].name', [1, 'name'], 'group'),
            ('[1].name', [1, 'name'], 'limit:share'),
            ('[0].policy', [0, 'policy'], 'near'),
            ('[0].policy', [0, 'policy'], []),
            ('[0].scope', [0, 'scope'], 'row'),
            ('[1].weight', [1, 'weight'], '2'),
            ('[1].weight', [1, 'weight'], -1),
            ('[1].weight', [1, 'weight'], 10**6 + 1),
            ('[1].weight', [1, 'weight'], None),
            ('[0].units', [0, 'units'], []),
            ('[0].units[0]', [0, 'units', 0], []),
            ('[0].units[0][0]', [0, 'units', 0, 0], UNKNOWN),
            ('[0].units[1]', [0, 'units', 1, 0], 'a'),
            ('[0].options', [0, 'options'], None),
            ('[0].options.lose', [0, 'options'], {'lose': 1}),
            ('[1].options.at_least', [1, 'options'], {'at_least': 'row'}),
        ):
            self.assertTold(f'.rules{place}', 'rules', *path, to=to)

    def test_options_are_those_of_the_policy(self):
        rule = {**self.part['rules'][2], 'policy': 'spread'}
        for option, to, place in (
            ('max_skew', '1', '.max_skew'),
            ('max_skew', None, None),
            ('max_per_domain', -1, '.max_per_domain'),
            ('min_domains', 10**6 + 1, '.min_domains'),
            ('domains', ['r0', 'r9'], '.domains[1]'),
            ('domains', 'r0', '.domains'),
        ):
            document = changed(
                self.document,
                'rules',
                2,
                to={**rule, 'options': {option: to}},
            )
            at = f'{HERE}.rules[2].options{place}'
            self.assertEqual(
                {at} if place else set(), set(test_format.told(document))
            )
        lost = {**rule, 'policy': 'survive', 'options': {'lose': 0}}
        found = test_format.told(changed(self.document, 'rules', 2, to=lost))
        self.assertEqual(
            {f'{HERE}.rules[2].options': "'keep' is missing"}, found
        )
        lost['options']['keep'] = 1
        found = test_format.told(changed(self.document, 'rules', 2, to=lost))
        self.assertEqual({f'{HERE}.rules[2].options.lose'}, set(found))

    def test_budgets(self):
        for place, path, to in (
            ('', [], None),
            ('[0]', [0, 'name'], ...),
            ('[0].name', [0, 'name'], None),
            ('[0].scope', [0, 'scope'], 'row'),
            ('[0].room', [0, 'room'], []),
            ('[0].room.r9', [0, 'room'], {'r9': 3}),
            ('[0].room.r0', [0, 'room', 'r0'], 3),
            ('[0].room.r0.VCPU', [0, 'room', 'r0', 'VCPU'], -1),
            ('[0].room.r0.GPU', [0, 'room', 'r0'], {'GPU': 1}),
        ):
            self.assertTold(f'.budgets{place}', 'budgets', *path, to=to)

    def test_all_faults_are_told_at_once_with_those_of_the_format(self):
        document = changed(self.document, 'rules', 1, 'weight', to='much')
        part = document['meta']['heat_vcluster']
        part['free']['VCPU'][2] = -3
        part['pinned']['c'] = None
        part['demands']['a']['resources']['VCPU'] = []
        part['colour'] = 1
        document['request']['objective'] = {}
        document['topology']['hosts']['busy'][0] = 1
        self.assertEqual(
            {
                'request.objective',
                'topology.hosts.busy[0]',
                f'{HERE}.rules[1].weight',
                f'{HERE}.pinned.c',
                f'{HERE}.demands.a.resources.VCPU',
                f'{HERE}.colour',
            },
            set(test_format.told(document)),
        )
        document['topology']['hosts']['busy'][0] = True
        self.assertIn(f'{HERE}.free.VCPU[2]', set(test_format.told(document)))

    def test_a_fault_is_one_line_whatever_the_keys_are(self):
        document = changed(self.document, 'pinned', 'no\nmember\0', to='r0-h0')
        ((place, message),) = test_format.told(document).items()
        self.assertEqual(rf"{HERE}.pinned.'no\nmember\x00'", place)
        self.assertTrue(message.isprintable())

    def test_what_is_wrong_anywhere_is_named_or_means_something(self):
        """Each value in turn: the search can take what the reader does."""
        kinds = policies.load()
        for path in [*places(self.part)]:
            for wrong in (*WRONG, UNKNOWN, ...):
                document = changed(self.document, *path, to=wrong)
                try:
                    problem = documents.problem_from(document)
                except documents.BadProblem as error:
                    for fault in error.faults:
                        self.assertTrue(fault.path.startswith(HERE), fault)
                else:
                    compiled.Compiled(problem, kinds)

    def test_what_is_left_out_leads_to_no_defect(self):
        """Each key in turn: a plan for what is left passes the check."""
        solver = joint.JointSolver()
        for path in [*places(self.part)]:
            document = changed(self.document, *path, to=...)
            try:
                problem = documents.problem_from(document)
            except documents.BadProblem:
                continue
            answer = solver.solve(problem, patience=0, explain=False)
            if answer.plan is not None:
                report = checker.check(
                    problem, answer.plan, bound=answer.bound
                )
                self.assertEqual((), report.violations, path)
