# SPDX-License-Identifier: Apache-2.0
"""Has TaskFlow run a graph in a time that grows as the graph does.

TaskFlow copies the whole graph for each task that it adds, and searches a
task, and what it needs, among all others: a thousand tasks take a second,
five thousand forty. So its own compiler is run with two of its parts
exchanged, for our engines alone, and each task is told what it needs. Where
its code is another than the one we know, it is left as it is.
"""

from __future__ import annotations

import contextlib
import queue
import time
import types
from collections.abc import Mapping
from typing import Any

from taskflow import flow as flows
from taskflow import task
from taskflow.engines.action_engine import compiler
from taskflow.engines.action_engine import engine as engines
from taskflow.types import graph, tree
from taskflow.utils import persistence_utils

from heat_vcluster.engine import unsaved

#: What the code of TaskFlow's compilers uses; else it is not as we know it.
KNOWN = {
    compiler.FlowCompiler: {'gr', 'tr', 'DiGraph', 'merge_graphs', 'Node'},
    compiler.TaskCompiler: {'gr', 'tr', 'DiGraph', 'Node'},
}


def load(flow: Any, executor: Any) -> Any:
    """Return an engine for a flow, whose tasks run in a pool of threads."""
    detail = persistence_utils.create_flow_detail(flow)
    kind = Engine if is_known() else engines.ParallelActionEngine
    return kind(flow, detail, unsaved.Backend(), {'executor': executor})


def is_known() -> bool:
    return all(
        names <= set(kind.compile.__code__.co_names)
        for kind, names in KNOWN.items()
    ) and hasattr(compiler.PatternCompiler(None), '_matchers')


#: Where many run, their ends are waited for together: for each so long.
GATHER_SECONDS = 2e-5


class Engine(engines.ParallelActionEngine):
    """TaskFlow's engine, with our compiler and what comes of it."""

    def __init__(self, flow: Any, *rest: Any) -> None:
        super().__init__(flow, *rest)
        self._compiler = Compiler(flow)

    def compile(self) -> None:
        if self._compiled:
            return
        super().compile()
        for name, seen in scopes(self._compilation).items():
            self._runtime._atom_cache[name]['scope_walker'] = seen
        self._runtime.builder._waiter = Waiter()


class Waiter:
    """Waits until any of the tasks that run is done.

    Those that are report it: to look at each takes long where there are many.
    """

    def __init__(self) -> None:
        self._watched: set[Any] = set()
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(
        self, running: set[Any], timeout: float | None = None
    ) -> tuple[set[Any], set[Any]]:
        """Return the futures that are done, and those that are not yet."""
        for future in running - self._watched:
            self._watched.add(future)
            future.add_done_callback(self._ended.put)
        done = set()
        with contextlib.suppress(queue.Empty):
            done.add(self._ended.get(timeout=timeout))
            time.sleep(len(running) * GATHER_SECONDS)
            while True:
                done.add(self._ended.get_nowait())
        self._watched -= done
        return done, running - done


def scopes(compilation: Any) -> Mapping[str, list[list[str]]]:
    """Return the tasks that each can have results of, the nearest first.

    A list for the flow that it is in, and one for each flow around it, as
    TaskFlow's own search gives them. Of those that are in one flow alone: to
    find these takes no search.
    """
    root = compilation.hierarchy
    if any(node.child_count() for node in root):
        return {}
    graph = compilation.execution_graph
    found = {}
    for node in root:
        if node.metadata['kind'] in compiler.ATOMS:
            before = sorted(
                (
                    each
                    for each in graph.bfs_predecessors_iter(node.item)
                    if graph.nodes[each]['kind'] in compiler.ATOMS
                ),
                key=root.index,
                reverse=True,
            )
            names = [each.name for each in before]
            found[node.item.name] = [names] if names else []
    return found


class Compiler(compiler.PatternCompiler):
    """TaskFlow's compiler of a flow, with our parts in it."""

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self._matchers = [
            (flows.Flow, _Quick(compiler.FlowCompiler(self._compile))),
            (task.Task, _Quick(compiler.TaskCompiler())),
        ]


class Node(tree.Node):
    """Knows where each item below it is; no item is there twice."""

    def __init__(self, item: Any, **kwargs: Any) -> None:
        super().__init__(item, **kwargs)
        self._below: dict[Any, Node] = {item: self}
        self._places: dict[Any, int] = {}

    def add(self, child: Any) -> None:
        super().add(child)
        self._places[child.item] = len(self._places)
        for node in self.path_iter():
            node._below.update(child._below)

    def find(
        self, item: Any, only_direct: bool = False, include_self: bool = True
    ) -> Any:
        if only_direct or not include_self:
            return super().find(item, only_direct, include_self)
        return self._below.get(item)

    def index(self, item: Any) -> int:
        if item not in self._places:
            raise ValueError(f'{item} is not contained in any child')
        return self._places[item]


def merge(into: Any, *others: Any, overlap_detector: Any) -> Any:
    """Add graphs to one; ValueError where a node would be in it twice."""
    for other in others:
        if overlap_detector(into, other):
            raise ValueError(f'{other} has nodes that are in {into}')
        into.add_nodes_from(other.nodes(data=True))
        into.add_edges_from(other.edges(data=True))
    return into


#: What stands for TaskFlow's modules of the same names.
PARTS = {
    'gr': types.SimpleNamespace(DiGraph=graph.DiGraph, merge_graphs=merge),
    'tr': types.SimpleNamespace(Node=Node),
}


class _Quick:
    """One of TaskFlow's compilers, its very code, with our parts."""

    def __init__(self, stock: Any) -> None:
        code = type(stock).compile
        self.compile = types.MethodType(
            types.FunctionType(
                code.__code__,
                {**code.__globals__, **PARTS},
                code.__name__,
                code.__defaults__,
                code.__closure__,
            ),
            stock,
        )
