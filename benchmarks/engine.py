# SPDX-License-Identifier: Apache-2.0
"""What the engine itself costs: TaskFlow's graphs, and a whole cluster.

Run as ``python -m benchmarks.engine [--tasks N]... [--members N]...``. All
figures are seconds of processor time. First a graph of tasks that do nothing
is compiled, prepared (TaskFlow's look at who needs what) and run: by TaskFlow
as it is, and as the engine runs it. Then clusters are built on the fake
cloud: what is spent in it, in planning, in the database (SQLite, a file), and
in all the rest, which is the engine and TaskFlow.
"""

from __future__ import annotations

import argparse
import collections
import functools
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import futurist
import taskflow.engines
from taskflow import task
from taskflow.patterns import graph_flow

from heat_vcluster import context, db, planner, service
from heat_vcluster.cloud import fake
from heat_vcluster.engine import base, engine, graphs
from heat_vcluster.placement import joint

THREADS = 16
#: Tasks of one member: a port, a server, and what waits for both.
CHAIN = ('port', 'server', 'ready')


class Nothing(task.Task):  # type: ignore[misc]
    def execute(self, **done: Any) -> bool:
        return True


def graph(tasks: int) -> Any:
    """Return a flow: one task that holds, then members of three each."""
    members = []
    for number in range((tasks - 1) // len(CHAIN)):
        before = 'held'
        for part in CHAIN:
            name = f'{number} {part}'
            members.append(Nothing(name, provides=name, requires=[before]))
            before = name
    return graph_flow.Flow('all').add(
        Nothing('held', provides='held'), *members
    )


def run(flow: Any, is_stock: bool) -> dict[str, float]:
    spent = {}
    with futurist.ThreadPoolExecutor(max_workers=THREADS) as pool:
        if is_stock:
            made = taskflow.engines.load(
                flow, engine='parallel', executor=pool
            )
        else:
            made = graphs.load(flow, pool)
        stages = {
            'compile': made.compile,
            'prepare': functools.partial(prepare, made),
            'run': made.run,
        }
        for stage, act in stages.items():
            begin = time.process_time()
            act()
            spent[stage] = time.process_time() - begin
    return spent


def prepare(made: Any) -> None:
    made.prepare()
    made.validate()


def compare(tasks: int, with_stock: bool) -> None:
    ours = run(graph(tasks), is_stock=False)
    print(f'{tasks} tasks: {told(ours)}')
    if with_stock:
        stock = run(graph(tasks), is_stock=True)
        ratio = sum(stock.values()) / sum(ours.values())
        print(f'{"":>5}  stock: {told(stock)}: {ratio:.1f} times ours')


def told(spent: dict[str, float]) -> str:
    parts = ', '.join(f'{name} {spent[name]:.2f}' for name in spent)
    return f'{sum(spent.values()):.2f} s ({parts})'


class Meter:
    """Adds up what threads spend in the methods of things, by their kind."""

    def __init__(self) -> None:
        self.spent: collections.Counter[str] = collections.Counter()
        self.calls: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def add(self, kind: str, seconds: float) -> None:
        with self._lock:
            self.spent[kind] += seconds  # type: ignore[assignment]
            self.calls[kind] += 1


class Metered:
    """Stands for a thing, and for what it opens."""

    OPENS = ('open', 'trusted', 'writer')

    def __init__(self, thing: Any, kind: str, meter: Meter) -> None:
        self._thing = thing
        self._kind = kind
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._thing, name)
        if not callable(value):
            return value

        @functools.wraps(value)
        def metered(*args: Any, **kwargs: Any) -> Any:
            begin = time.thread_time()
            try:
                found = value(*args, **kwargs)
                if isinstance(found, Iterator):
                    found = iter([*found])  # what is done late counts, too
            finally:
                self._meter.add(self._kind, time.thread_time() - begin)
            if name in self.OPENS:
                return Metered(found, self._kind, self._meter)
            return found

        return metered


def build(members: int) -> None:
    """Build a cluster of so many servers, and tell where the time went."""
    document = {
        'instances': [
            {
                'name': 'm',
                'type': 'server',
                'count': members,
                'spec': {'image': 'cirros', 'flavor': 'small'},
            }
        ]
    }
    meter = Meter()
    cloud: Any = Metered(
        fake.FakeCloud(racks=max(2, members // 40), hosts_per_rack=16),
        'cloud',
        meter,
    )
    settings = base.Settings(threads=THREADS, poll_interval=0.01)
    with tempfile.TemporaryDirectory() as folder:
        store: Any = Metered(
            db.Store(f'sqlite:///{folder}/vcluster.sqlite'), 'database', meter
        )
        chosen: Any = Metered(
            planner.Planner(joint.JointSolver()), 'planner', meter
        )
        made = service.Service(
            store,
            cloud,
            chosen,
            engine.Engine(store, cloud, chosen, service.load_stored, settings),
            settings,
        )
        asker = context.Context('alpha', 'ann')
        begin = time.process_time()
        cluster = made.create(asker, document)['id']
        made.engine.join(cluster)
        spent = time.process_time() - begin
        status = made.show(asker, cluster)['status']
        made.stop(5.0)
    rest = spent - sum(meter.spent.values())
    found = {**meter.spent, 'engine': rest}
    print(f'{members} members, {status}: {told(found)}')
    print(
        f'{"":>5}  {meter.calls["database"] / members:.1f} calls of the '
        f'database a member, {meter.calls["cloud"] / members:.1f} of the cloud'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.engine',
        description=(__doc__ or '').strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--tasks', type=int, nargs='*', default=[1000, 5000])
    parser.add_argument('--members', type=int, nargs='*', default=[100, 1000])
    parser.add_argument(
        '--without-stock',
        action='store_true',
        help='leave out TaskFlow as it is: it takes long',
    )
    options = parser.parse_args()
    for tasks in options.tasks:
        compare(tasks, not options.without_stock)
    for members in options.members:
        build(members)


if __name__ == '__main__':
    main()
