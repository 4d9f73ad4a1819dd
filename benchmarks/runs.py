# SPDX-License-Identifier: Apache-2.0
"""One solver on one problem: what it answered, how fast, and whether right."""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import importlib
import inspect
import json
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from heat_vcluster import registry
from heat_vcluster.placement import base, checker, model
from heat_vcluster.placement import format as documents


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A measured answer; seconds are from the problem as values on.

    ``first_plan`` and ``proof`` are when the first plan and the proof were
    there. ``faults``: what the checker has against the plan. ``judge``: what
    a judge from outside said, if there was one.
    """

    name: str
    verdict: str
    seconds: float
    first_plan: float | None = None
    proof: float | None = None
    explained: float | None = None
    soft_cost: int | None = None
    objective: int | None = None
    bound: tuple[int, int | None] | None = None
    rules: tuple[str, ...] = ()
    is_minimal: bool = False
    repairs: int = 0
    faults: tuple[str, ...] = ()
    judge: str = ''
    peak_mb: int = 0

    @property
    def is_placed(self) -> bool:
        return self.verdict == 'feasible' and not self.faults

    @property
    def is_optimal(self) -> bool:
        return self.is_placed and self.bound == (
            self.soft_cost,
            self.objective,
        )

    @property
    def is_cheapest(self) -> bool:
        """Whether no plan has a lower soft cost, proven."""
        return self.bound is not None and self.bound[0] == self.soft_cost

    def gap(self) -> float | None:
        """Return the gap of the objective to its bound; None: not known."""
        if not self.is_placed or self.bound is None or not self.objective:
            return None
        cost, least = self.bound
        if cost != self.soft_cost or least is None:
            return None
        return (self.objective - least) / self.objective


def solve(
    name: str,
    problem: model.Problem,
    *,
    solver: str,
    deadline: float,
    seed: int = 0,
    **more: Any,
) -> Run:
    """Run a solver; ``more`` is passed on as far as it can take it."""
    return answered(
        name, problem, solver=solver, deadline=deadline, seed=seed, **more
    )[0]


def answered(
    name: str,
    problem: model.Problem,
    *,
    solver: str,
    deadline: float,
    seed: int,
    **more: Any,
) -> tuple[Run, model.Answer]:
    run = _solver(solver)().solve
    taken = inspect.signature(run).parameters
    passed = {key: value for key, value in more.items() if key in taken}
    began = time.monotonic()
    answer = run(problem, deadline=deadline, seed=seed, **passed)
    took = time.monotonic() - began
    return _run(name, problem, answer, took), answer


def _solver(name: str) -> Callable[[], base.Solver]:
    """Return a solver by its name, or as ``module:class``."""
    found: Callable[[], base.Solver]
    if ':' in name:
        module, kind = name.split(':')
        found = getattr(importlib.import_module(module), kind)
    else:
        found = registry.get('solvers', name)
    return found


def _run(
    name: str, problem: model.Problem, answer: model.Answer, took: float
) -> Run:
    plan, bound = answer.plan, answer.bound
    faults: tuple[str, ...] = ()
    if plan is not None:
        faults = checker.check(problem, plan, bound=bound).violations
    is_proof = answer.verdict is model.Verdict.INFEASIBLE
    return Run(
        name,
        str(answer.verdict),
        took,
        answer.seconds.get('first_plan', took if plan else None),
        answer.seconds.get('proof', took) if is_proof else None,
        answer.seconds.get('explain'),
        plan.soft_cost if plan else None,
        plan.objective if plan else None,
        (bound.soft_cost, bound.objective) if bound else None,
        answer.rules,
        answer.is_minimal,
        len(answer.repairs),
        faults[:5],
    )


# -- files -------------------------------------------------------------------


def read(path: Path) -> dict[str, Any]:
    """Return a document from a file, gzipped or not."""
    octets = path.read_bytes()
    if path.suffix == '.gz':
        octets = gzip.decompress(octets)
    document: dict[str, Any] = json.loads(octets)
    return document


def peak_mb() -> int:
    """Return the most memory that this process had at any time, in MB.

    As Linux keeps it in /proc, which begins with the program; what getrusage
    tells begins with the parent's memory at the fork.
    """
    status = Path('/proc/self/status')
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = status.read_text().splitlines()
    peak = next(line for line in lines if line.startswith('VmHWM:'))
    return int(peak.split()[1]) // 1024


def solve_file(path: Path, asked: argparse.Namespace, **more: Any) -> Run:
    """Solve a file in a process of its own, so that none disturbs another."""
    command = [sys.executable, __file__, str(path)]
    command += ['--solver', asked.solver, '--deadline', str(asked.deadline)]
    command += ['--seed', str(asked.solver_seed)]
    if more.get('explain', True):
        command.append('--explain')
    if asked.judge:
        command += ['--judge', asked.judge]
    if asked.judge_conflict:
        command += ['--judge-conflict', asked.judge_conflict]
    limit = 4 * asked.deadline + 300
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return Run(path.name, 'no end', limit)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return Run(path.name, 'error', 0.0, faults=tuple(said[-1:]))
    told = json.loads(done.stdout.splitlines()[-1])
    for key in ('rules', 'faults'):
        told[key] = tuple(told[key])
    if told['bound'] is not None:
        told['bound'] = tuple(told['bound'])
    return Run(**told)


def judged(command: str, problem: Path, plan: Mapping[str, Any]) -> str:
    """Return what a judge from outside says of a plan; 'ok' if it is well."""
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / 'plan.json'
        written.write_text(json.dumps(plan))
        words = [
            word.format(problem=problem, plan=written)
            for word in shlex.split(command)
        ]
        done = subprocess.run(words, capture_output=True, text=True)
    if not done.returncode:
        return 'ok'
    return f'refused: {(done.stdout or done.stderr).strip()[-300:]}'


def main() -> None:
    """Solve one file and print the run: the other end of ``solve_file``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('problem', type=Path)
    parser.add_argument('--solver', required=True)
    parser.add_argument('--deadline', type=float, required=True)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--explain', action='store_true')
    parser.add_argument('--judge')
    parser.add_argument('--judge-conflict')
    asked = parser.parse_args()
    problem = documents.problem_from(read(asked.problem))
    run, answer = answered(
        asked.problem.name,
        problem,
        solver=asked.solver,
        deadline=asked.deadline,
        seed=asked.seed,
        patience=asked.deadline,
        explain=asked.explain,
    )
    run = dataclasses.replace(run, peak_mb=peak_mb())
    plan = documents.plan_of(problem, answer)
    words = []
    if asked.judge:
        words.append(judged(asked.judge, asked.problem, plan))
    if asked.judge_conflict and plan['conflict']:
        words.append(judged(asked.judge_conflict, asked.problem, plan))
    words.sort(key='ok'.__eq__)
    run = dataclasses.replace(run, judge=words[0] if words else '')
    print(json.dumps(dataclasses.asdict(run)))


if __name__ == '__main__':
    main()
