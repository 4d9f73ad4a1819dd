# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage solve: places a saved problem once more."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import itertools
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from heat_vcluster import archive, registry
from heat_vcluster.cmd import summary
from heat_vcluster.placement import base, checker, model
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.pictures import picture

DESCRIPTION = """\
Places the members of a problem (a vcluster-problem/1 document: a cloud and
one request), and says how good the plan is, or why there is none.

Each plan passes a check that is independent of the search before anything is
written. Live decisions are saved as such problems if the option
[placement] save_problems names a directory.
"""
EPILOG = """\
Exit codes:
  0  feasible: there is a plan
  1  bad input, which is named (or a plan that failed the check: a defect)
  2  infeasible: proven that there is none
  3  unknown: time ran out; neither a plan nor a proof

Examples:
  vcluster-manage solve problem.json
      tells what came of it, and the first of the places

  vcluster-manage solve problem.json.gz --deadline 30 --output plan.json
      searches for up to 30 seconds, also for a better plan once there is
      one, and writes a vcluster-plan/1 document

  vcluster-manage solve refused.json --explain
      if there is no plan: the smallest set of rules that clash, and the
      smallest changes to the request that would fit now

  vcluster-manage solve problem.json --picture plan.svg
      draws racks, hosts, members and rules, for a web browser

  vcluster-manage solve problem.json --json --quiet | jq .placement
      for programs: the plan's document on standard output, nothing else
"""

LONGEST = 365 * 24 * 3600  # seconds that may be asked for
FEASIBLE, BAD, INFEASIBLE, UNKNOWN = range(4)
EXIT_CODES = {
    model.Verdict.FEASIBLE: FEASIBLE,
    model.Verdict.INFEASIBLE: INFEASIBLE,
    model.Verdict.UNKNOWN: UNKNOWN,
}


class Refused(Exception):
    """There is nothing to solve, or nothing to trust; says why."""


def add(commands: Any) -> None:
    """Add the command to argparse's collection of them."""
    parser = commands.add_parser(
        'solve',
        help='place a saved problem, or tell why that is impossible',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'problem',
        type=Path,
        metavar='PROBLEM',
        help='a file with a vcluster-problem/1 document, gzipped or not',
    )
    parser.add_argument(
        '--deadline',
        type=_seconds,
        default=20.0,
        metavar='S',
        help='seconds that the search may take (default: 20)',
    )
    parser.add_argument(
        '--seed',
        type=_seed,
        default=0,
        metavar='N',
        help='equal problem and equal seed give an equal plan (default: 0)',
    )
    parser.add_argument(
        '--output',
        type=Path,
        metavar='FILE',
        help='write the plan (vcluster-plan/1) there; gzipped if the name '
        'ends in .gz',
    )
    parser.add_argument(
        '--explain',
        action='store_true',
        help='if there is no plan: tell which rules clash, and what would fit',
    )
    parser.add_argument(
        '--picture',
        type=Path,
        metavar='FILE.svg',
        help='draw racks, hosts, members and rules',
    )
    parser.add_argument(
        '--json',
        action='store_true',
        help='print the plan document in place of the summary',
    )
    parser.add_argument(
        '--quiet',
        action='store_true',
        help='no summary and no progress; the exit code tells',
    )
    parser.add_argument(
        '--solver',
        default=base.DEFAULT,
        metavar='NAME',
        help='another search that is installed (default: %(default)s)',
    )
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(
            f'not a number above 0, at most {LONGEST}: {text!r}'
        )
    return seconds


def _seed(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(
            f'not an integer from 0 to {2**31 - 1}: {text!r}'
        )
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    try:
        return _run(arguments)
    except Refused as error:
        _say(str(error))
    except OSError as error:
        # A device that is full, say, does not tell its name.
        told = (error.filename, error.strerror or str(error))
        _say(': '.join(str(word) for word in told if word))
    return BAD


def _say(text: str) -> None:
    """Tell on standard error, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f'vcluster-manage: {text}', file=sys.stderr, flush=True)


def _run(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    _check_outputs(arguments)
    solver = _solver(arguments.solver)
    problem = read(arguments.problem)
    seconds = {'read': time.monotonic() - began}
    answer = _solve(solver, problem, arguments)
    seconds['solve'] = time.monotonic() - began - seconds['read']
    answer, report = checked(problem, answer)
    seconds['all'] = time.monotonic() - began
    document = documents.plan_of(
        problem,
        answer,
        {
            'tool': f'heat-vcluster {metadata.version("heat-vcluster")}',
            'solver': arguments.solver,
            'seed': arguments.seed,
            'deadline': arguments.deadline,
            'seconds': {
                what: round(amount, 4)
                for what, amount in {**answer.seconds, **seconds}.items()
            },
        },
    )
    if arguments.output is not None:
        archive.write(arguments.output, document)
    if arguments.picture is not None:
        drawing = picture.draw(problem, answer)
        archive.write_bytes(arguments.picture, drawing.encode())
    if arguments.json:
        _print(json.dumps(document, indent=1))
    elif not arguments.quiet:
        lines = summary.lines(
            problem, answer, report, seconds['solve'], arguments.explain
        )
        _print('\n'.join(lines))
    return EXIT_CODES[answer.verdict]


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Raise OSError or Refused if it is known that an answer would be lost.

    That is found before a search that may take long, not after it.
    """
    if sys.stdout is None and (arguments.json or not arguments.quiet):
        raise Refused('standard output is closed')
    files = {
        'PROBLEM': arguments.problem,
        '--output': arguments.output,
        '--picture': arguments.picture,
    }
    given = {key: path for key, path in files.items() if path is not None}
    for path in (arguments.output, arguments.picture):
        if path is not None:
            archive.check_writable(path)
    for (one, path), (other, its) in itertools.combinations(given.items(), 2):
        if archive.are_one(path, its):
            raise Refused(f'{path}: {one} and {other} are the same file')


def _print(text: str) -> None:
    """Write all of it to standard output; raises OSError.

    What its encoding has no letters for is escaped.
    """
    stream = sys.stdout
    encoding = stream.encoding or 'utf-8'
    shown = text.encode(encoding, 'backslashreplace').decode(encoding)
    try:
        print(shown, file=stream, flush=True)
    except OSError as error:
        # What is left would fail once more at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OSError(
            error.errno, error.strerror, 'standard output'
        ) from error


def _solver(name: str) -> base.Solver:
    try:
        solver: base.Solver = registry.get('solvers', name)()
    except KeyError as error:
        raise Refused(f'no solver {error.args[0]}') from error
    return solver


def read(path: Path) -> model.Problem:
    """Return the problem in a file; raises Refused with all its faults."""
    try:
        return documents.problem_from(archive.read(path))
    except archive.Unreadable as error:
        raise Refused(f'{path}: {error}') from error
    except documents.BadProblem as error:
        count = len(error.faults)
        faults = ''.join(f'\n  {fault}' for fault in error.faults)
        raise Refused(
            f'{path}: malformed, {count} fault{"s" if count > 1 else ""}:'
            f'{faults}'
        ) from error


def _solve(
    solver: base.Solver, problem: model.Problem, arguments: argparse.Namespace
) -> model.Answer:
    wishes = {
        'deadline': arguments.deadline,
        'seed': arguments.seed,
        'explain': arguments.explain,
        # Nobody waits for a first plan here: the time is for the best one.
        'patience': arguments.deadline,
    }
    # What a solver cannot be asked for is left out.
    known = inspect.signature(solver.solve).parameters
    wishes = {key: value for key, value in wishes.items() if key in known}
    with _interruptible(), _Progress(problem, arguments):
        return solver.solve(problem, **wishes)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once: nothing is written yet.

    Python would hear of it only when a program it has called returns.
    """
    is_main = threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGINT)
    if not is_main or heard is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def checked(
    problem: model.Problem, answer: model.Answer
) -> tuple[model.Answer, checker.Report | None]:
    """Return the answer, told in full, if its plan passes the check.

    Raises Refused if not: then nothing of it may be used.
    """
    if answer.plan is None:
        return answer, None
    report = checker.check(problem, answer.plan, bound=answer.bound)
    if report.violations:
        faults = ''.join(f'\n  {fault}' for fault in report.violations)
        raise Refused(
            'a defect of the search: its plan failed the check and is not '
            f'handed out. Please report it, with the problem:{faults}'
        )
    plan = dataclasses.replace(
        answer.plan, objective=report.objective, given_up=report.given_up
    )
    return dataclasses.replace(answer, plan=plan), report


class _Progress:
    """Tells on standard error that the search goes on, if it takes long."""

    PATIENCE = 2.0  # seconds before the first word
    STEP = 1.0

    def __init__(
        self, problem: model.Problem, arguments: argparse.Namespace
    ) -> None:
        self._size = summary.size(problem)
        self._deadline = arguments.deadline
        self._is_wanted = not arguments.quiet and sys.stderr is not None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        if self._is_wanted:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._is_wanted:
            self._thread.join()

    def _tell(self) -> None:
        """On a terminal one line that changes; else ever fewer lines."""
        is_terminal = sys.stderr.isatty()
        began = time.monotonic()
        wait, is_told = self.PATIENCE, False
        while not self._is_over.wait(wait):
            spent = time.monotonic() - began
            line = f'{self._size}: {spent:.0f} s of {self._deadline:g}'
            if is_terminal:
                print(f'\r{line}', end='', file=sys.stderr, flush=True)
                wait = self.STEP
            else:
                print(line, file=sys.stderr, flush=True)
                wait *= 2
            is_told = True
        if is_terminal and is_told:
            print('\r\033[K', end='', file=sys.stderr, flush=True)
