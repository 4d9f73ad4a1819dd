# SPDX-License-Identifier: Apache-2.0
"""What our compiler makes of a flow is what TaskFlow's makes of it."""

import futurist
import testtools
from taskflow import task
from taskflow.engines.action_engine import compiler, scopes
from taskflow.patterns import graph_flow, linear_flow, unordered_flow

from heat_vcluster.engine import graphs


class Step(task.Task):
    def __init__(self, name, *requires, log=None):
        super().__init__(name, provides=name, requires=requires)
        self.log = log

    def execute(self, **done):
        if self.log is not None:
            self.log.append(self.name)


class Reverting(Step):
    def revert(self, **done):
        self.log.append(f'no {self.name}')


class Failing(Step):
    def execute(self, **done):
        raise ZeroDivisionError


def diamond(log=None):
    return graph_flow.Flow('diamond').add(
        Step('last', 'left', 'right', log=log),
        Step('left', 'first', log=log),
        Step('right', 'first', log=log),
        Step('first', log=log),
        Step('alone', log=log),
    )


def nested():
    return linear_flow.Flow('all').add(
        unordered_flow.Flow('one').add(Step('a'), Step('b')),
        diamond(),
        Step('end', 'last'),
        unordered_flow.Flow('empty'),
    )


class GraphsTest(testtools.TestCase):
    def test_taskflow_is_as_we_know_it(self):
        self.assertTrue(graphs.is_known())

    def test_both_compile_to_the_same(self):
        for make in (diamond, nested):
            flow = make()
            self.assertEqual(
                told(compiler.PatternCompiler(flow).compile()),
                told(graphs.Compiler(flow).compile()),
            )

    def test_everything_is_found_where_it_is(self):
        flow = nested()
        hierarchy = graphs.Compiler(flow).compile().hierarchy
        plain = compiler.PatternCompiler(flow).compile().hierarchy
        for node in plain.dfs_iter():
            found = hierarchy.find(node.item)
            self.assertIs(node.item, found.item)
            self.assertEqual(
                node.parent.index(node.item), found.parent.index(found.item)
            )
        self.assertIsNone(hierarchy.find('nothing'))
        self.assertIsNone(hierarchy.find(flow, include_self=False))
        self.assertRaises(ValueError, hierarchy.index, 'nothing')

    def test_task_that_is_in_a_flow_twice_is_refused_by_both(self):
        step = Step('a')
        flow = linear_flow.Flow('all').add(
            unordered_flow.Flow('one').add(step),
            unordered_flow.Flow('other').add(step),
        )
        for kind in (compiler.PatternCompiler, graphs.Compiler):
            self.assertRaises(ValueError, kind(flow).compile)

    def test_each_task_sees_what_taskflow_has_it_see(self):
        flow = diamond()
        compiled = graphs.Compiler(flow).compile()
        seen = graphs.scopes(compiled)
        for node in compiled.hierarchy.dfs_iter():
            if isinstance(node.item, task.Task):
                walker = scopes.ScopeWalker(
                    compiled, node.item, names_only=True
                )
                found = seen.pop(node.item.name)
                self.assertEqual(
                    [set(level) for level in walker],
                    [set(level) for level in found],
                )
        self.assertEqual({}, seen)

    def test_flows_in_a_flow_are_searched_by_taskflow(self):
        self.assertEqual(
            {}, graphs.scopes(graphs.Compiler(nested()).compile())
        )

    def test_engine_runs_in_order(self):
        log = []
        flow = diamond(log)
        engine = self.load(flow)
        engine.run()
        self.assertIsInstance(engine.compilation.hierarchy, graphs.Node)
        log.remove('alone')
        self.assertEqual(('first', 'last'), (log[0], log[-1]))

    def test_what_fails_is_reverted_and_raised(self):
        log = []
        flow = graph_flow.Flow('failing').add(
            Reverting('first', log=log), Failing('last', 'first')
        )
        engine = self.load(flow)
        self.assertRaises(ZeroDivisionError, engine.run)
        self.assertEqual(['first', 'no first'], log)

    def test_unknown_taskflow_is_left_as_it_is(self):
        known = {compiler.TaskCompiler: {'something else'}}
        self.patch(graphs, 'KNOWN', known)
        log = []
        engine = self.load(diamond(log))
        engine.run()
        self.assertNotIsInstance(engine.compilation.hierarchy, graphs.Node)
        self.assertEqual(5, len(log))

    def load(self, flow):
        pool = futurist.ThreadPoolExecutor(max_workers=2)
        self.addCleanup(pool.shutdown)
        return graphs.load(flow, pool)


class WaiterTest(testtools.TestCase):
    def test_what_is_done_is_given_once(self):
        waiter = graphs.Waiter()
        first, second, third = (futurist.Future() for _ in range(3))
        second.set_result(1)
        third.cancel()
        done, running = waiter({first, second, third})
        self.assertEqual(({second, third}, {first}), (done, running))
        self.assertEqual((set(), {first}), waiter(running, timeout=0))
        first.set_exception(ValueError())
        self.assertEqual(({first}, set()), waiter(running))


def told(compilation):
    """Return all that a compilation has to tell, for comparison."""
    found = compilation.execution_graph

    def name(node):
        return node.name

    return (
        found.name,
        sorted(
            (name(node), repr(data)) for node, data in found.nodes(data=True)
        ),
        sorted(
            (name(a), name(b), repr(sorted(data.items(), key=str)))
            for a, b, data in found.edges(data=True)
        ),
        [
            (name(node.item), node.metadata)
            for node in compilation.hierarchy.dfs_iter(include_self=True)
        ],
        found.frozen,
    )
