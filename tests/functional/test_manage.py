# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage as a shell runs it: the installed command, whole."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import textwrap
from xml.etree import ElementTree

import fixtures

from heat_vcluster import archive
from heat_vcluster.placement import checker, model
from heat_vcluster.placement import format as documents
from tests import base, placement_oracle
from tests.functional import base as stories
from tests.functional import documents as wanted

COMMAND = pathlib.Path(sys.executable).with_name('vcluster-manage')
SAVED = pathlib.Path(__file__).parents[1] / 'problems'
DOC = pathlib.Path(__file__).parents[2] / 'doc' / 'source'
FEASIBLE = SAVED / 'webs-share-a-host.json'
INFEASIBLE = SAVED / 'three-racks-of-two.json'


def jigsaw(bins=40, seed=1):
    """Return a problem with a solution that nobody finds.

    Three members to each host fill it to the last of a trillion: numbers
    of that size leave no other way than to guess.
    """
    draw = random.Random(seed)
    document = json.loads(FEASIBLE.read_text())
    hosts, sizes = document['topology']['hosts'], []
    size = 10**11
    for _ in range(bins):
        first = draw.randrange(size // 4, size // 2)
        second = draw.randrange(size // 4, size // 2)
        sizes += [first, second, size - first - second]
    draw.shuffle(sizes)
    for key, column in hosts.items():
        hosts[key] = [column[0]] * bins
    hosts['name'] = [f'h{number}' for number in range(bins)]
    hosts['vcpu'] = hosts['cap_vcpu'] = [size] * bins
    for column in document['topology']['pools'].values():
        column.clear()
    document['request']['members'] = [
        {
            'name': f'm{number}',
            'kind': 'server',
            'vcpu': size,
            'ram_mb': 0,
            'disk_gb': 0,
        }
        for number, size in enumerate(sizes)
    ]
    document['request']['groups'] = []
    return document


class CommandTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def run_command(self, *arguments, **options):
        return subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            text=True,
            timeout=600,
            **{
                'stdout': subprocess.PIPE,
                'stderr': subprocess.PIPE,
                **options,
            },
        )

    def solve(self, problem, *arguments, code):
        """Return what was printed, and the plan's document."""
        path = self.folder / 'plan.json.gz'
        ran = self.run_command(
            'solve', problem, '--output', path, '--deadline', 300, *arguments
        )
        self.assertEqual(code, ran.returncode, ran.stderr)
        return ran.stdout, archive.read(path)

    def write(self, document, name='problem.json'):
        path = self.folder / name
        archive.write(path, document)
        return path


class SolveTest(CommandTest):
    def test_a_plan_is_told_and_written(self):
        out, plan = self.solve(FEASIBLE, code=0)
        self.assertTrue(out.startswith('feasible: 5 members on 4 hosts'), out)
        self.assertIn('soft cost   3 (optimal)', out)
        self.assertIn('pack        2 hosts in use (optimal)', out)
        self.assertIn('webs (anti-affinity at host): broken by 1', out)
        self.assertIn('near-backup: backup', out)
        self.assertIn('db -> ', out)
        problem = documents.problem_from(archive.read(FEASIBLE))
        best = placement_oracle.best(problem)
        report = checker.judge(problem, plan['placement'])
        self.assertEqual((), report.violations)
        self.assertEqual('feasible', plan['status'])
        self.assertEqual(best.soft_cost, plan['soft_cost'])
        self.assertEqual(best.objective, plan['objective'])
        self.assertEqual(
            {'soft_cost': best.soft_cost, 'objective': best.objective},
            plan['bound'],
        )
        meta = plan['meta']
        self.assertEqual(0, meta['seed'])
        self.assertIn('heat-vcluster', meta['tool'])
        self.assertIn('solve', meta['seconds'])
        self.assertEqual('webs', meta['given_up'][0]['rule'])

    def test_what_is_impossible(self):
        out, plan = self.solve(INFEASIBLE, code=2)
        self.assertTrue(out.startswith('infeasible: 4 members'), out)
        self.assertEqual('infeasible', plan['status'])
        self.assertIsNone(plan['placement'])
        self.assertIsNone(plan['bound'])

    def test_why_it_is_impossible_and_what_would_do(self):
        out, plan = self.solve(INFEASIBLE, '--explain', code=2)
        expected = archive.read(INFEASIBLE)['meta']['conflict']
        self.assertEqual(set(expected), set(plan['conflict']['rules']))
        self.assertTrue(plan['conflict']['why'])
        self.assertTrue(plan['meta']['repairs'])
        for word in ('tenant', 'operator', 'rules', 'instead'):
            self.assertIn(f'\n  {word} ', out)
        # What the tenant is told names no host and no rack.
        told = out.partition('  tenant ')[2].partition('  operator ')[0]
        self.assertIn('dbs', told)
        for name in ('e0', 'e1', 'w0'):
            self.assertNotIn(name, told)

    def test_time_that_runs_out(self):
        path = self.write(jigsaw())
        out, plan = self.solve(path, '--deadline', 1, code=3)
        self.assertTrue(out.startswith('unknown: 120 members'), out)
        self.assertEqual('unknown', plan['status'])
        self.assertIsNone(plan['placement'])

    def test_an_interrupt_ends_it_at_once(self):
        path = self.write(jigsaw())
        process = subprocess.Popen(
            [str(COMMAND), 'solve', path, '--deadline', '300'],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background may ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.kill)
        self.assertIn(' of 300', process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((-signal.SIGINT, ''), (process.returncode, out))

    def test_all_faults_of_a_problem_are_named(self):
        document = copy.deepcopy(archive.read(FEASIBLE))
        document['request']['groups'][1]['scope'] = 'rak'
        document['topology']['hosts']['vcpu'][2] = -1
        path = self.write(document)
        plan = self.folder / 'plan.json'
        ran = self.run_command('solve', path, '--output', plan)
        self.assertEqual(1, ran.returncode)
        self.assertEqual('', ran.stdout)
        self.assertIn('malformed, 2 faults', ran.stderr)
        self.assertIn("request.groups[1].scope: no level 'rak'", ran.stderr)
        self.assertIn('topology.hosts.vcpu[2]: ', ran.stderr)
        self.assertFalse(plan.exists())

    def test_what_is_no_problem_is_named(self):
        damaged = self.folder / 'damaged.json'
        damaged.write_bytes(FEASIBLE.read_bytes()[:-30])
        for arguments in (
            [self.folder / 'none.json'],
            [damaged],
            [FEASIBLE, '--deadline', '-1'],
            [FEASIBLE, '--deadline', 'soon'],
            [FEASIBLE, '--deadline', 'nan'],
            [FEASIBLE, '--deadline', '1e308'],
            [FEASIBLE, '--seed', 'x'],
            [FEASIBLE, '--solver', 'none'],
            [FEASIBLE, '--output', self.folder / 'no' / 'plan.json'],
            [FEASIBLE, '--colour'],
            [],
        ):
            ran = self.run_command('solve', *arguments)
            self.assertEqual(1, ran.returncode, arguments)
            self.assertIn('vcluster-manage', ran.stderr)
            self.assertNotIn('Traceback', ran.stderr)

    def assertRefused(self, told, *arguments, **options):
        """It ends with one line that says so; nothing is left behind."""
        before = sorted(self.folder.iterdir())
        ran = self.run_command('solve', *arguments, **options)
        self.assertEqual(1, ran.returncode, ran.stderr)
        self.assertEqual(f'vcluster-manage: {told}\n', ran.stderr)
        self.assertEqual(before, sorted(self.folder.iterdir()))
        return ran

    def test_where_an_answer_would_be_lost_nothing_is_even_read(self):
        nothing = self.folder / 'none.json'
        for option in ('--output', '--picture'):
            self.assertRefused(
                f'{self.folder}: Is a directory', nothing, option, self.folder
            )
            lost = self.folder / 'no' / 'plan'
            self.assertRefused(
                f'{lost}: No such file or directory', nothing, option, lost
            )
        path = self.folder / 'both'
        self.assertRefused(
            f'{path}: --output and --picture are the same file',
            nothing,
            '--output',
            path,
            '--picture',
            path,
        )
        self.assertRefused(
            f'{nothing}: PROBLEM and --output are the same file',
            nothing,
            '--output',
            nothing,
        )
        self.assertRefused(
            'standard output is closed',
            nothing,
            preexec_fn=lambda: os.close(1),
        )

    def test_a_disk_that_is_full(self):
        told = 'No space left on device'
        for option in ('--output', '--picture'):
            self.assertRefused(
                f'/dev/full: {told}', FEASIBLE, option, '/dev/full'
            )
        for options in ((), ('--json',)):
            with open('/dev/full', 'w') as full:
                self.assertRefused(
                    f'standard output: {told}',
                    FEASIBLE,
                    *options,
                    stdout=full,
                )

    def test_a_file_is_never_left_half_written(self):
        path = self.folder / 'plan'
        path.write_text('old')

        def bounded():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        for option in ('--output', '--picture'):
            self.assertRefused(
                f'{path}: File too large',
                FEASIBLE,
                option,
                path,
                preexec_fn=bounded,
            )
            self.assertEqual('old', path.read_text())

    def test_output_goes_where_standard_output_goes(self):
        path, link = self.folder / 'all', self.folder / 'link'
        path.write_text('first\n')
        link.symlink_to('/dev/stdout')
        with path.open('a') as file:
            ran = self.run_command(
                'solve', FEASIBLE, '--output', link, stdout=file
            )
        self.assertEqual(0, ran.returncode, ran.stderr)
        text = path.read_text()
        self.assertTrue(text.startswith('first\n{"format"'), text)
        self.assertIn('}feasible: 5 members', text)
        self.assertTrue(link.is_symlink())
        ran = self.run_command('solve', FEASIBLE, '--quiet', '--output', link)
        self.assertEqual('feasible', json.loads(ran.stdout)['status'])

    def test_names_that_a_terminal_has_no_letters_for(self):
        text = FEASIBLE.read_text()
        for name, shown in (
            ('w\\u00e9b', r'w\xe9b -> '),
            ('w\\u001b[1mb', r'w\x1b[1mb -> '),
            ('w\\ud800b', r'w\ud800b -> '),
        ):
            path = self.folder / 'odd.json'
            path.write_text(text.replace('web-0', name))
            ran = self.run_command(
                'solve', path, env={**os.environ, 'PYTHONIOENCODING': 'ascii'}
            )
            self.assertEqual((0, ''), (ran.returncode, ran.stderr))
            self.assertIn(shown, ran.stdout)

    def test_a_seed_of_thousands_of_digits(self):
        ran = self.run_command('solve', FEASIBLE, '--seed', '9' * 5000)
        self.assertEqual(1, ran.returncode)
        self.assertIn(
            '--seed: not an integer from 0 to 2147483647', ran.stderr
        )

    def test_gzipped_problems_are_read(self):
        path = self.write(archive.read(FEASIBLE), 'problem.json.gz')
        self.solve(path, code=0)

    def test_a_picture_names_every_member(self):
        for problem, code in ((FEASIBLE, 0), (INFEASIBLE, 2)):
            path = self.folder / 'picture.svg'
            self.solve(problem, '--picture', path, code=code)
            root = ElementTree.parse(path).getroot()
            self.assertTrue(root.tag.endswith('svg'))
            text = '\n'.join(root.itertext())
            for member in archive.read(problem)['request']['members']:
                self.assertIn(member['name'], text)

    def test_programs_get_the_document_and_nothing_else(self):
        ran = self.run_command('solve', FEASIBLE, '--json')
        plan = json.loads(ran.stdout)
        self.assertEqual('vcluster-plan/1', plan['format'])
        quiet = self.run_command('solve', INFEASIBLE, '--quiet')
        self.assertEqual(2, quiet.returncode)
        self.assertEqual(('', ''), (quiet.stdout, quiet.stderr))

    def test_equal_seeds_give_equal_plans(self):
        problem = SAVED / 'every-rule-at-once.json'
        plans = [self.solve(problem, '--seed', 5, code=0)[1] for _ in range(2)]
        self.assertEqual(plans[0]['placement'], plans[1]['placement'])
        self.assertEqual(5, plans[0]['meta']['seed'])

    def test_the_help_teaches(self):
        ran = self.run_command('solve', '--help')
        self.assertEqual(0, ran.returncode)
        for part in ('Exit codes', 'Examples', '--explain', 'save_problems'):
            self.assertIn(part, ran.stdout)


class PageTest(CommandTest):
    """What the operator's page shows is what comes."""

    def setUp(self):
        super().setUp()
        self.text = (DOC / 'operator' / 'replay.rst').read_text()

    def blocks(self, start):
        """Return the indented blocks that begin so, without the indent."""
        found = re.findall(
            rf'^ +{start}.*?(?=^\S|\Z)', self.text, re.MULTILINE | re.DOTALL
        )
        self.assertTrue(found, start)
        return [textwrap.dedent(block).strip() for block in found]

    def test_commands_say_what_is_shown(self):
        for block in self.blocks(r'\$ vcluster-manage'):
            command, *shown = block.splitlines()
            _, verb, name, *options = command.removeprefix('$ ').split()
            ran = self.run_command(verb, SAVED / name, *options)
            got = ran.stdout
            for line in shown:
                # Times differ, and so may places that are as good.
                words = re.split(
                    r', in |; proven in |; at | -> |\.\.\.; ', line
                )
                stable = words[-1 if '...;' in line else 0].strip()
                self.assertIn(stable, got)

    def test_the_problem_that_is_shown_has_a_plan(self):
        (text,) = self.blocks(r'\{"format"')
        path = self.folder / 'shown.json'
        path.write_text(text)
        out, plan = self.solve(path, code=0)
        self.assertEqual('h1', plan['placement']['db'])
        self.assertIn('near', out)


class SavedDecisionTest(stories.EngineTest, CommandTest):
    """What a live create decided comes out of a shell once more."""

    def make_service(self, **options):
        self.saved = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        return super().make_service(
            save_problems=str(self.saved / 'decisions'), **options
        )

    def decisions(self, kind):
        return sorted((self.saved / 'decisions').glob(f'*.{kind}.json.gz'))

    def test_a_create_leaves_its_problem_and_its_plan(self):
        self.build(wanted.SMALL)
        problems, plans = self.decisions('problem'), self.decisions('plan')
        self.assertEqual(len(problems), len(plans))
        decided = archive.read(plans[-1])
        self.assertEqual('feasible', decided['status'])
        problem = documents.problem_from(archive.read(problems[-1]))
        self.assertEqual(
            (), checker.judge(problem, decided['placement']).violations
        )
        _, plan = self.solve(problems[-1], code=0)
        self.assertEqual(model.Verdict.FEASIBLE, plan['status'])
        report = checker.judge(problem, plan['placement'])
        self.assertEqual((), report.violations)
