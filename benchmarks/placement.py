# SPDX-License-Identifier: Apache-2.0
"""What the placement solver reaches, beside its baselines, in one run.

    python benchmarks/placement.py                      the whole table
    python benchmarks/placement.py --brief              all its rows, sooner
    python benchmarks/placement.py --only proof,tiny    parts of it
    python benchmarks/placement.py --problems DIR \
        --judge "python check.py {problem} {plan}"      files of problems

Problems are made by seed (placement_problems.py); medians are over seeds, and
over families where a row has several. Every plan is checked by the project's
own checker, plans for files by a judge from outside as well, if one is named.
Seconds depend on the machine and on what else it does: ratios are what counts.
Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import baselines
import clouds
import families
import impossible
import placement_problems
import runs

from heat_vcluster.placement import betterment, checker, model, policies, ways
from heat_vcluster.placement import format as documents
from heat_vcluster.placement.numbers import compiled

FEASIBLE = tuple(families.FAMILIES)
IMPOSSIBLE = tuple(impossible.FAMILIES)
# What is asked for in brief, unless it is named: one seed, and less patience
# with what takes long.
BRIEF = {'seeds': 1, 'deadline': 20.0, 'baseline_seconds': 10.0, 'tiny': 1000}
# Of so many tiny problems one is told, to show how far it is.
TOLD = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    reach: str
    measured: str
    baseline: str = ''
    ratio: str = ''


class Bench:
    """Makes problems and runs the solver, telling on stderr how it goes."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.seeds = range(asked.seed, asked.seed + asked.seeds)
        self.runs: list[runs.Run] = []

    def families(self, among: Sequence[str]) -> list[str]:
        wanted = self.asked.families
        return [f for f in among if not wanted or f in wanted]

    def problems(
        self,
        among: Sequence[str],
        sizes: Iterable[str],
        tightness: Iterable[str],
    ) -> Iterator[tuple[str, model.Problem]]:
        """Give name and problem, for all seeds."""
        kinds = tuple(tightness)
        for size in sizes:
            if size in self.asked.sizes:
                for family in self.families(among):
                    for tight in kinds:
                        for seed in self.seeds:
                            made = placement_problems.make(
                                family, size, tight, seed
                            )
                            yield (
                                made.name,
                                documents.problem_from(made.problem),
                            )

    def run(
        self,
        name: str,
        problem: model.Problem,
        deadline: float,
        patience: float = 0.0,
        explain: bool = False,
    ) -> runs.Run:
        run = runs.solve(
            name,
            problem,
            solver=self.asked.solver,
            deadline=deadline,
            seed=self.asked.solver_seed,
            patience=patience,
            explain=explain,
        )
        self.runs.append(run)
        self.tell(run)
        return run

    @staticmethod
    def tell(run: runs.Run) -> None:
        said = f'{run.name:<36} {run.verdict:<10} {run.seconds:8.2f} s'
        if run.first_plan is not None:
            said += f'  first plan {run.first_plan:7.3f} s'
        if run.proof is not None:
            said += f'  proof {run.proof:7.3f} s'
        if run.soft_cost is not None:
            said += f'  {run.soft_cost}/{run.objective} bound {run.bound}'
        if run.rules:
            minimal = 'minimal' if run.is_minimal else 'not minimal'
            said += f'  {len(run.rules)} rules, {minimal}'
        for fault in run.faults:
            said += f'\n    FAULT: {fault}'
        if run.judge not in ('', 'ok'):
            said += f'\n    JUDGE: {run.judge}'
        print(said, file=sys.stderr, flush=True)


def numbers_of(problem: model.Problem) -> compiled.Compiled:
    return compiled.Compiled(problem, policies.load())


def spread_of(values: Sequence[float], unit: str = ' s') -> str:
    """Say the median and the most of some values."""
    if not values:
        return 'none'
    return f'{statistics.median(values):.3g}{unit} (most {max(values):.3g})'


def family_of(name: str) -> str:
    """Return the family in the name of a problem."""
    return name.rsplit('-', 3)[0]


# -- the parts of the table --------------------------------------------------


def placed(bench: Bench) -> Iterator[Row]:
    """Planted problems placed, and whole clusters placed one by one."""
    sizes = ('small', 'medium', 'large')
    for size in sizes:
        for tight in placement_problems.TIGHTNESS:
            ours, whole, failed = [], [], []
            for name, problem in bench.problems(FEASIBLE, [size], [tight]):
                run = bench.run(name, problem, bench.asked.deadline)
                ours.append(run.is_placed)
                if not run.is_placed:
                    failed.append(name)
                found = baselines.one_by_one(
                    numbers_of(problem), seed=bench.asked.solver_seed
                )
                whole.append(is_obeyed(problem, found))
            if ours:
                yield Row(
                    f'planted, {size}, {tight}: placed',
                    '100 %',
                    f'{share(ours)}{missing(failed)}',
                    f'one by one: {share(whole)}',
                )


def is_obeyed(problem: model.Problem, found: baselines.Found) -> bool:
    """Tell whether a baseline placed all, as all hard rules want."""
    if found.verdict is not model.Verdict.FEASIBLE:
        return False
    return not checker.judge(problem, found.placement).violations


def share(flags: Sequence[bool]) -> str:
    return f'{100 * sum(flags) / len(flags):.0f} % of {len(flags)}'


def missing(names: Sequence[str]) -> str:
    return f' (not: {", ".join(names)})' if names else ''


def first(bench: Bench) -> Iterator[Row]:
    """The first plan on large clouds, beside one by one without a plan."""
    for size, tight, reach in (
        ('large', 'tight', '0.5 s'),
        ('huge', 'loose', '1 s'),
    ):
        for family in bench.families(FEASIBLE):
            ours, theirs, left = [], [], []
            for name, problem in bench.problems([family], [size], [tight]):
                run = bench.run(name, problem, bench.asked.deadline)
                if run.first_plan is not None:
                    ours.append(run.first_plan)
                numbers = numbers_of(problem)
                found = baselines.one_by_one(numbers)
                theirs.append(found.seconds)
                left.append(len(numbers.members) - len(found.placement))
            if theirs:
                yield Row(
                    f'first plan, {family}, {size}, {tight}',
                    reach,
                    spread_of(ours),
                    f'one by one: {spread_of(theirs)}, '
                    f'{statistics.median(left):.0f} members left out',
                    ratio(theirs, ours),
                )


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Return how many times larger the median of theirs is."""
    if not theirs or not ours or not statistics.median(ours):
        return ''
    times = statistics.median(theirs) / statistics.median(ours)
    return f'{times:.1f} x'


def plain(bench: Bench) -> Iterator[Row]:
    """Against a boolean for each member and host, at 1,000 hosts."""
    limit = bench.asked.baseline_seconds
    for family in bench.families(FEASIBLE):
        ours, theirs, better = [], [], []
        costs = []
        for name, problem in bench.problems([family], ['medium'], ['tight']):
            run = bench.run(name, problem, 5.0, patience=5.0)
            numbers = numbers_of(problem)
            found = baselines.plain(numbers, seconds=limit)
            report = checker.judge(problem, found.placement)
            is_there = found.verdict is model.Verdict.FEASIBLE
            assert not is_there or not report.violations, report.violations
            if run.first_plan is not None:
                ours.append(run.first_plan)
                theirs.append(found.first_plan or limit)
            mine = (run.soft_cost, run.objective)
            other = (report.soft_cost, report.objective)
            if run.is_placed:
                better.append(not is_there or mine <= other)
                said = f'{other[0]}/{other[1]}' if is_there else 'none'
                costs.append(f'{mine[0]}/{mine[1]} : {said}')
            print(
                f'{name:<36} plain CP-SAT: {found.verdict}, first plan '
                f'{found.first_plan}, {other} in {found.seconds:.1f} s',
                file=sys.stderr,
                flush=True,
            )
        if theirs:
            yield Row(
                f'first plan, {family}, medium, tight',
                '50 x faster',
                spread_of(ours),
                f'plain CP-SAT: {spread_of(theirs)}',
                ratio(theirs, ours),
            )
        if costs:
            yield Row(
                f'soft cost/objective, {family}, 5 s : plain {limit:g} s',
                'never worse',
                f'not worse: {share(better)}',
                '; '.join(costs),
            )


def proof(bench: Bench) -> Iterator[Row]:
    """Seconds to the proof that there is no placement."""
    for size, reach in (('medium', '0.1 s'), ('large', '2 s')):
        for family in bench.families(IMPOSSIBLE):
            ours, theirs, failed = [], [], []
            for name, problem in bench.problems(
                [family], [size], ['loose', 'tight']
            ):
                run = bench.run(name, problem, bench.asked.deadline)
                if run.proof is None:
                    failed.append(name)
                else:
                    ours.append(run.proof)
                if size == 'medium' and bench.asked.baseline_seconds:
                    limit = min(bench.asked.baseline_seconds, 10.0)
                    found = baselines.plain(numbers_of(problem), seconds=limit)
                    theirs.append(found.seconds)
            if ours or failed:
                yield Row(
                    f'proof, {family}, {size}',
                    reach,
                    f'{spread_of(ours)}{missing(failed)}',
                    f'plain CP-SAT (10 s at most): {spread_of(theirs)}'
                    if theirs
                    else '',
                    ratio(theirs, ours),
                )


def packing(bench: Bench) -> Iterator[Row]:
    """The gap between the hosts used and the proven bound."""
    for size, seconds, reach in (
        ('medium', 5.0, '0 %'),
        ('large', 30.0, '5 %'),
    ):
        for family in bench.families(FEASIBLE):
            for tight in placement_problems.TIGHTNESS:
                gaps, hosts, unproven = [], [], 0
                for name, problem in bench.problems([family], [size], [tight]):
                    packed = dataclasses.replace(problem, objective='pack')
                    run = bench.run(name, packed, seconds, patience=seconds)
                    gap = run.gap()
                    hosts.append(f'{run.objective}:{run.bound}')
                    # Hosts are bounded for the least soft cost alone.
                    if gap is None and run.is_placed and not run.is_cheapest:
                        unproven += 1
                    else:
                        gaps.append(100.0 if gap is None else 100 * gap)
                if hosts:
                    yield Row(
                        f'packing gap, {family}, {size}, {tight}, '
                        f'{seconds:g} s',
                        reach,
                        spread_of(gaps, ' %') + dearer(unproven, len(hosts)),
                        '; '.join(hosts),
                    )


def dearer(unproven: int, count: int) -> str:
    """Say of how many the soft cost may not be the least."""
    if not unproven:
        return ''
    return f' (soft cost not proven: {unproven} of {count})'


def explain(bench: Bench) -> Iterator[Row]:
    """Seconds to the proof and the minimal conflict together."""
    for size, reach in (('medium', '1 s'), ('large', '5 s')):
        for family in bench.families(IMPOSSIBLE):
            took, sizes, failed = [], [], []
            for name, problem in bench.problems(
                [family], [size], ['loose', 'tight']
            ):
                run = bench.run(
                    name, problem, bench.asked.deadline, explain=True
                )
                if run.is_minimal:
                    took.append(run.explained or run.seconds)
                    sizes.append(len(run.rules))
                else:
                    failed.append(name)
            if took or failed:
                yield Row(
                    f'minimal explanation, {family}, {size}',
                    reach,
                    f'{spread_of(took)}{missing(failed)}',
                    f'rules: {", ".join(map(str, sizes))}',
                )


def tiny(bench: Bench) -> Iterator[Row]:
    """Random tiny problems of all rules mixed, against trying everything."""
    count = bench.asked.tiny
    yield _tiny(bench, 'trying everything', count, is_whole=True)
    if bench.asked.solver == 'joint':
        with _nothing_small():
            what = 'trying everything, by the ways for large ones'
            yield _tiny(bench, what, count // 4, is_whole=False)


@contextlib.contextmanager
def _nothing_small() -> Iterator[None]:
    """Let the solver take every problem for a large one."""
    sizes = (
        (ways, 'SMALL'),
        (ways, 'MEDIUM'),
        (ways, 'LARGE'),
        (betterment, 'MEDIUM'),
    )
    before = [getattr(*size) for size in sizes]
    for size in sizes:
        setattr(*size, -1)
    try:
        yield
    finally:
        for size, value in zip(sizes, before, strict=True):
            setattr(*size, value)


def _tiny(bench: Bench, what: str, count: int, *, is_whole: bool) -> Row:
    # The tests' own, which the package does not have.
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests import placement_oracle, placement_verdicts

    wrong: list[str] = []
    verdicts: collections.Counter[str] = collections.Counter()
    limit = bench.asked.deadline if is_whole else 2.0
    began = time.monotonic()
    for seed in range(bench.asked.seed, bench.asked.seed + count):
        problem = placement_oracle.tiny(seed, beyond=seed % 4 == 3)
        if seed % TOLD == 0:
            print(f'tiny {seed} ...', file=sys.stderr, flush=True)
        _, answer = runs.answered(
            f'tiny-{seed}',
            problem,
            solver=bench.asked.solver,
            deadline=limit,
            seed=bench.asked.solver_seed,
            patience=limit if is_whole else 0.05,
            explain=is_whole and seed % 2 == 1,
        )
        faults = placement_verdicts.faults(problem, answer, is_whole=is_whole)
        for fault in faults:
            wrong.append(f'{seed}: {fault}')
            print(f'tiny {wrong[-1]}', file=sys.stderr, flush=True)
        verdicts[str(answer.verdict)] += 1
    said = ', '.join(f'{n} {verdict}' for verdict, n in verdicts.items())
    return Row(
        f'{count} tiny problems against {what}',
        'nothing wrong',
        f'{len(wrong)} wrong ({said}; {time.monotonic() - began:.0f} s)',
        '; '.join(wrong[:5]),
    )


def memory(bench: Bench) -> Iterator[Row]:
    """The peak of a process that reads and solves one large problem."""
    with tempfile.TemporaryDirectory() as scratch:
        for family in bench.families(FEASIBLE + IMPOSSIBLE):
            made = placement_problems.make(
                family, 'large', 'tight', bench.asked.seed
            )
            path = Path(scratch) / f'{made.name}.json.gz'
            placement_problems.write(made.problem, path)
            run = runs.solve_file(path, bench.asked)
            bench.tell(run)
            yield Row(f'memory, {made.name}', '300 MB', f'{run.peak_mb} MB')


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    'placed': placed,
    'first': first,
    'plain': plain,
    'proof': proof,
    'packing': packing,
    'explain': explain,
    'tiny': tiny,
    'memory': memory,
}


# -- files of problems -------------------------------------------------------


def directory(bench: Bench) -> None:
    """Solve every file of a directory; say verdicts, values and seconds."""
    root: Path = bench.asked.problems
    index = expected_in(root)
    print(
        '| problem | expected | verdict | soft/objective | bound | first plan '
        's | proof s | total s | conflict | MB | judge |'
    )
    print('|---|---|---|---|---|---|---|---|---|---|---|')
    wrong = 0
    for path in sorted(root.rglob('*.json*')):
        name = str(path.relative_to(root))
        if path.name == 'INDEX.json' or bench.asked.match not in name:
            continue
        run = dataclasses.replace(
            runs.solve_file(path, bench.asked, explain=True), name=name
        )
        bench.tell(run)
        bench.runs.append(run)
        known = index.get(name) or runs.read(path).get('meta', {})
        wrong += print_file(run, known)
    undecided = sum(run.verdict == 'unknown' for run in bench.runs)
    print(
        f'\n{len(bench.runs)} problems, {wrong} with something wrong, '
        f'{undecided} undecided'
    )


def expected_in(root: Path) -> dict[str, dict[str, object]]:
    path = root / 'INDEX.json'
    if not path.exists():
        return {}
    listed = json.loads(path.read_text())
    return {entry['file']: entry for entry in listed}


def print_file(run: runs.Run, known: dict[str, object]) -> bool:
    """Print a line of the table; return whether anything is wrong."""
    expected = known.get('expected') or ''
    optimum = known.get('optimum')
    notes = []
    if run.verdict in ('error', 'no end') or run.faults:
        notes.append('; '.join(run.faults) or run.verdict)
    known_verdicts = {'feasible', 'infeasible'}
    if {expected, run.verdict} == known_verdicts:
        notes.append('WRONG VERDICT')
    if isinstance(optimum, dict) and run.is_placed:
        best = (optimum['soft_cost'], optimum['objective'])
        if (run.soft_cost, run.objective) != best:
            notes.append(f'optimum is {best}')
    if run.judge not in ('', 'ok'):
        notes.append(run.judge)
    conflict = ''
    if run.rules:
        conflict = f'{len(run.rules)}{"" if run.is_minimal else " (not min.)"}'
    cells = [
        run.name,
        str(expected),
        run.verdict,
        '' if run.soft_cost is None else f'{run.soft_cost}/{run.objective}',
        '' if run.bound is None else f'{run.bound[0]}/{run.bound[1]}',
        '' if run.first_plan is None else f'{run.first_plan:.3f}',
        '' if run.proof is None else f'{run.proof:.3f}',
        f'{run.seconds:.2f}',
        conflict,
        str(run.peak_mb),
        ' '.join([run.judge if run.judge == 'ok' else '', *notes]).strip(),
    ]
    print(f'| {" | ".join(cells)} |', flush=True)
    return bool(notes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--only',
        type=lambda text: text.split(','),
        default=list(PARTS),
        help=f'parts, with commas: {",".join(PARTS)}',
    )
    parser.add_argument(
        '--solver', default='joint', help='its name, or module:class'
    )
    parser.add_argument(
        '--brief',
        action='store_true',
        help='every row, but with '
        + ', '.join(f'--{k.replace("_", "-")} {v}' for k, v in BRIEF.items()),
    )
    parser.add_argument('--seeds', type=int, default=3, help='how many')
    parser.add_argument('--seed', type=int, default=1, help='the first')
    parser.add_argument('--solver-seed', type=int, default=0)
    parser.add_argument('--deadline', type=float, default=60.0)
    parser.add_argument('--baseline-seconds', type=float, default=60.0)
    parser.add_argument('--tiny', type=int, default=10000, help='how many')
    parser.add_argument(
        '--families',
        type=lambda text: text.split(','),
        help='only these, with commas',
    )
    parser.add_argument(
        '--sizes',
        type=lambda text: text.split(','),
        default=list(clouds.SIZES),
        help='only these, with commas',
    )
    parser.add_argument('--problems', type=Path, metavar='DIR')
    parser.add_argument('--match', default='', help='part of the file names')
    parser.add_argument('--judge', metavar='COMMAND')
    parser.add_argument(
        '--judge-conflict',
        metavar='COMMAND',
        help='the same for answers that name rules in conflict',
    )
    parser.add_argument('--json', type=Path, help='write all runs there')
    if parser.parse_args().brief:
        parser.set_defaults(**BRIEF)
    asked = parser.parse_args()
    bench = Bench(asked)
    if asked.problems:
        directory(bench)
    else:
        print('| what | to reach | measured | baseline | ratio |')
        print('|---|---|---|---|---|')
        for part in asked.only:
            for row in PARTS[part](bench):
                cells = ' | '.join(dataclasses.astuple(row))
                print(f'| {cells} |', flush=True)
    if asked.json:
        told = [dataclasses.asdict(run) for run in bench.runs]
        asked.json.write_text(json.dumps(told, indent=1))


if __name__ == '__main__':
    main()
