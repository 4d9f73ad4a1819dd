# SPDX-License-Identifier: Apache-2.0
"""The last line of tools/test is true: what ran badly is counted so."""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import fixtures
import subunit
import testtools

TOOLS = Path(__file__).parents[2] / 'tools'


def load(name: str) -> ModuleType:
    """``tools`` is no package, and one of its programs has no suffix."""
    module_name = f'tools_{name.partition(".")[0]}'
    loader = importlib.machinery.SourceFileLoader(
        module_name, str(TOOLS / name)
    )
    spec = importlib.util.spec_from_loader(module_name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    # No byte code beside the programs.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


outcomes = load('outcomes.py')
runner = load('test')


class Outcomes(testtools.TestCase):
    def read(self, *statuses: tuple[str, str]) -> dict[str, object]:
        stream = io.BytesIO()
        output = subunit.StreamResultToBytes(stream)
        for test, status in statuses:
            output.status(test_id=test, test_status='inprogress')
            if status == 'skip':
                output.status(
                    test_id=test,
                    file_name='reason',
                    file_bytes=b'not here',
                    mime_type='text/plain;charset=utf8',
                )
            if status != 'inprogress':
                output.status(test_id=test, test_status=status)
        stream.seek(0)
        found: dict[str, object] = outcomes.read(stream)
        return found

    def test_each_is_counted_by_how_it_ended(self) -> None:
        found = self.read(
            ('good', 'success'),
            ('bad', 'fail'),
            ('absent', 'skip'),
            ('known', 'xfail'),
            ('surprise', 'uxsuccess'),
        )
        self.assertEqual(2, found['passed'])
        self.assertEqual({'bad', 'surprise'}, set(found['failed']))
        self.assertEqual({'absent': 'not here'}, found['skipped'])

    def test_one_that_never_ended_has_failed(self) -> None:
        found = self.read(('good', 'success'), ('hung', 'inprogress'))
        self.assertEqual(1, found['passed'])
        self.assertEqual({'hung': 'It never ended.'}, found['failed'])

    def test_what_a_failed_test_told_is_kept_its_traceback_last(self) -> None:
        stream = io.BytesIO()
        output = subunit.StreamResultToBytes(stream)
        for name, text in (('traceback', 'why'), ('log', 'what')):
            output.status(
                test_id='bad',
                file_name=name,
                file_bytes=text.encode(),
                mime_type='text/plain;charset=utf8',
            )
        output.status(test_id='bad', test_status='fail')
        stream.seek(0)
        found = outcomes.read(stream)
        self.assertEqual(
            {'bad': 'log:\nwhat\ntraceback:\nwhy'}, found['failed']
        )


class Execute(testtools.TestCase):
    """What is run prints into a log; what goes wrong is tried again."""

    def setUp(self) -> None:
        super().setUp()
        self.place = Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.place / 'log'
        self.log.touch()
        self.patch(runner, 'PAUSE_SECONDS', 0)

    def insist(self, program: str) -> str:
        """Run a shell's program until it succeeds; return what we said."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            runner.insist(
                ['sh', '-c', program], {'PLACE': str(self.place)}, self.log
            )
        return said.getvalue()

    def test_second_attempt_may_succeed(self) -> None:
        said = self.insist('test -d $PLACE/d || { mkdir $PLACE/d; exit 3; }')
        self.assertIn('sh ended with 3: once more', said)

    def test_good_command_is_not_heard(self) -> None:
        self.assertEqual('', self.insist('echo word; echo other >&2'))
        self.assertEqual('word\nother\n', self.log.read_text())

    def test_last_words_of_what_never_succeeds_are_told(self) -> None:
        failed = self.assertRaises(
            runner.Failed, self.insist, 'echo no network; exit 4'
        )
        self.assertIn('ended with 4', str(failed))
        self.assertEqual(
            runner.ATTEMPTS, self.log.read_text().count('no network')
        )
        self.assertIn('no network', str(failed))

    def look(self, *pieces: str) -> str:
        """Return what is said while pieces are added to the log."""
        said = io.StringIO()
        progress = runner.Progress(self.log)
        self.addCleanup(progress.close)
        for piece in pieces:
            with self.log.open('a') as stream:
                stream.write(piece)
            with contextlib.redirect_stdout(said):
                progress.look()
        return said.getvalue()

    def test_failed_test_is_named_at_once(self) -> None:
        said = self.look(
            '{0} a.good [0.1s] ... ok\n{1} a.b', 'ad [1s] ... FAILED\n'
        )
        self.assertEqual('   FAILED a.bad\n', said)

    def test_so_is_the_end_of_what_it_told_and_nothing_else(self) -> None:
        lines = [f'line {number}\n' for number in range(20)]
        said = self.look(
            'noise\n{1} a.bad [1s] ... FAILED\n' + ''.join(lines),
            'last\nCaptured pythonlogging:\nnoise\n'
            '{0} a.good [0.1s] ... ok\nnoise\n',
        ).splitlines()
        self.assertEqual('   FAILED a.bad', said[0])
        self.assertEqual('     line 19', said[-2])
        self.assertEqual('     last', said[-1])
        self.assertEqual(runner.LINES_AT_ONCE + 2, len(said))

    def test_beginning_and_end_of_what_is_long_are_shown(self) -> None:
        lines = [str(number) for number in range(1000)]
        shown = runner.shortened('\n'.join(lines)).splitlines()
        self.assertEqual(('0', '999'), (shown[0], shown[-1]))
        self.assertIn('... 940 lines ...', shown)
        self.assertEqual(
            lines[:60], runner.shortened('\n'.join(lines[:60])).splitlines()
        )


class Count(testtools.TestCase):
    """A suite is never better than its exit code."""

    def count(
        self, suite: str, code: int, kept: dict[str, object] | None
    ) -> tuple[int, int]:
        self.patch(runner, 'outcomes', lambda suite, environment: kept)
        log = Path(self.useFixture(fixtures.TempDir()).path, 'log')
        log.write_text('the last words')
        passed, failed, _ = runner.count(suite, code, {}, log)
        self.told = failed
        return passed, len(failed)

    def test_suite_without_tests_of_its_own_is_one(self) -> None:
        self.assertEqual((1, 0), self.count('lint', 0, None))
        self.assertEqual((0, 1), self.count('lint', 1, None))

    def test_broken_before_any_test_is_a_failure(self) -> None:
        self.assertEqual((0, 1), self.count('unit', 1, None))
        self.assertEqual(['the last words'], [*self.told.values()])

    def test_no_test_at_all_is_a_failure(self) -> None:
        kept = {'passed': 0, 'failed': {}, 'skipped': {}}
        self.assertEqual((0, 1), self.count('unit', 0, kept))

    def test_bad_exit_after_good_tests_is_a_failure(self) -> None:
        kept = {'passed': 7, 'failed': {}, 'skipped': {}}
        self.assertEqual((7, 1), self.count('unit', 1, kept))

    def test_failures_are_counted_once(self) -> None:
        kept = {'passed': 7, 'failed': {'a': '', 'b': ''}, 'skipped': {}}
        self.assertEqual((7, 2), self.count('unit', 1, kept))


class Lanes(testtools.TestCase):
    """Suites are run by ``run``, a stand-in that is given their names."""

    def follow(
        self,
        run: Callable[[str], None],
        *suites: str,
        serial: bool = False,
    ) -> dict[str, list[str]]:
        """Return suite -> what failed in it, in the order of their ends."""

        def stand_in(suite: str, *others: object) -> object:
            run(suite)
            return runner.Outcome(suite, 1, {}, {}, 0)

        self.patch(runner, 'run', stand_in)
        options = argparse.Namespace(
            suites=suites, arguments=[], serial=serial
        )
        found: list[Any] = []
        with runner.lanes(options, {}, found) as threads:
            for thread in threads:
                thread.join()
        return {one.suite: list(one.failed.values()) for one in found}

    def test_slow_ones_run_beside_the_others(self) -> None:
        both = threading.Barrier(2)
        found = self.follow(lambda suite: both.wait(), 'unit', 'acceptance')
        self.assertEqual({'unit', 'acceptance'}, {*found})

    def test_asked_for_they_come_one_after_the_other(self) -> None:
        begun: list[str] = []
        self.follow(begun.append, 'lint', 'unit', 'acceptance', serial=True)
        self.assertEqual(['lint', 'unit', 'acceptance'], begun)

    def test_what_cannot_be_run_has_failed_and_the_next_is_run(self) -> None:
        def run(suite: str) -> None:
            if suite == 'lint':
                raise OSError('no disk')

        found = self.follow(run, 'lint', 'unit')
        self.assertEqual({'lint': ['no disk'], 'unit': []}, found)

    def test_who_is_interrupted_begins_nothing_more(self) -> None:
        def run(suite: str) -> None:
            raise runner.Interrupted

        self.assertEqual({}, self.follow(run, 'lint', 'unit', 'acceptance'))

    def test_what_runs_is_stopped_when_we_are(self) -> None:
        self.addCleanup(runner.STOPPING.clear)
        log = Path(self.useFixture(fixtures.TempDir()).path, 'unit.log')
        log.touch()
        begun = threading.Event()

        def run(suite: str) -> None:
            begun.set()
            runner.execute(['sleep', '1000'], {}, log)

        with testtools.ExpectedException(runner.Interrupted):
            self.interrupt(run, begun)

    def interrupt(
        self, run: Callable[[str], None], begun: threading.Event
    ) -> None:
        self.patch(runner, 'run', lambda suite, *others: run(suite))
        options = argparse.Namespace(
            suites=['unit'], arguments=[], serial=False
        )
        with runner.lanes(options, {}, []):
            begun.wait()
            raise runner.Interrupted


class Report(testtools.TestCase):
    def report(self, *found: object) -> tuple[int, list[str]]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = runner.report(list(found))
        return code, output.getvalue().splitlines()

    def test_last_line_is_over_all_and_names_come_before(self) -> None:
        code, lines = self.report(
            runner.Outcome('lint', 1, {}, {}, 3),
            runner.Outcome('unit', 7, {'a.b': 'why'}, {'c.d': 'no cloud'}, 3),
        )
        self.assertEqual(1, code)
        self.assertEqual('8 passed, 1 failed, 1 skipped', lines[-1])
        self.assertIn('    FAILED a.b', lines)
        told = lines.index('-- FAILED a.b')
        self.assertEqual('why', lines[told + 1])
        self.assertIn('    SKIPPED c.d: no cloud', lines)

    def test_code_is_zero_only_without_failures(self) -> None:
        code, lines = self.report(runner.Outcome('unit', 7, {}, {}, 3))
        self.assertEqual(0, code)
        self.assertEqual('7 passed, 0 failed, 0 skipped', lines[-1])
