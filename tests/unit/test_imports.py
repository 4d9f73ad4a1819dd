# SPDX-License-Identifier: Apache-2.0
"""The import check finds every way to break the rule."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import fixtures
import testtools

ROOT = Path(__file__).parents[2]


def load_checker() -> ModuleType:
    """``tools`` is no package: the checker is loaded from its file."""
    path = ROOT / 'tools' / 'imports.py'
    spec = importlib.util.spec_from_file_location('tools_imports', path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


checker = load_checker()
Rule = checker.Rule

TABLE = (
    Rule('', ('library',)),
    Rule('exception'),
    Rule('library', ('placement.*',)),
    Rule('placement', ('exception',), ('numpy',)),
    Rule('placement.open', (), ('*',)),
    Rule('cloud', ('placement.model',)),
)


class ImportRule(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        for package in ('', 'placement', 'cloud'):
            self.write(f'{package}/__init__.py', '')
        self.write('exception.py', '')
        self.write('placement/model.py', '')
        self.write('placement/greedy.py', '')

    def write(self, path: str, source: str) -> None:
        target = self.root / 'heat_vcluster' / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source)

    def found(self) -> list[str]:
        return [
            breach.message for breach in checker.breaches(self.root, TABLE)
        ]

    def assert_breach(self, source: str, module: str) -> None:
        self.write('placement/tried.py', source)
        self.assertEqual(
            [f'heat_vcluster.placement.tried may not import {module}'],
            self.found(),
        )

    def test_allowed_imports_are_no_breach(self) -> None:
        self.write(
            'placement/tried.py',
            'import os.path\nimport numpy as np\n'
            'from heat_vcluster import exception\n'
            'from heat_vcluster.placement import model\n'
            'from . import greedy\n',
        )
        self.assertEqual([], self.found())

    def test_foreign_package(self) -> None:
        self.assert_breach('import taskflow.engines', 'taskflow.engines')

    def test_own_package_further_down_the_way(self) -> None:
        self.assert_breach(
            'from heat_vcluster import cloud', 'heat_vcluster.cloud'
        )

    def test_name_that_is_no_module_counts_as_its_package(self) -> None:
        self.assert_breach(
            'from heat_vcluster.cloud import Cloud', 'heat_vcluster.cloud'
        )

    def test_relative_import_upwards(self) -> None:
        self.assert_breach('from .. import cloud', 'heat_vcluster.cloud')

    def test_import_inside_of_a_function(self) -> None:
        self.assert_breach('def f():\n    import yaml', 'yaml')

    def test_import_for_the_type_checker_alone(self) -> None:
        self.assert_breach(
            'from typing import TYPE_CHECKING\n'
            'if TYPE_CHECKING:\n    import openstack',
            'openstack',
        )

    def test_import_by_name(self) -> None:
        self.assert_breach(
            'import importlib\nimportlib.import_module("sqlalchemy.orm")',
            'sqlalchemy.orm',
        )

    def test_one_module_allowed_is_not_its_neighbours(self) -> None:
        self.write(
            'cloud/tried.py',
            'from heat_vcluster.placement import model\n'
            'from heat_vcluster.placement import greedy\n',
        )
        self.assertEqual(
            [
                'heat_vcluster.cloud.tried may not import '
                'heat_vcluster.placement.greedy'
            ],
            self.found(),
        )

    def test_longest_row_counts(self) -> None:
        self.write('placement/open/__init__.py', 'import taskflow')
        self.assertEqual([], self.found())
        self.write(
            'placement/open/__init__.py', 'from heat_vcluster import exception'
        )
        self.assertEqual(1, len(self.found()))

    def test_package_without_a_row_is_a_breach(self) -> None:
        self.write('novel/__init__.py', '')
        self.assertEqual(
            ['no row of the table covers heat_vcluster.novel'], self.found()
        )

    def main(self) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return checker.main([str(self.root)], TABLE)

    def test_exit_code_tells(self) -> None:
        self.write('exception.py', 'import abc')
        self.assertEqual(0, self.main())
        self.write('exception.py', 'import requests')
        self.assertEqual(1, self.main())


class Table(testtools.TestCase):
    def test_rules_that_must_never_be_loosened(self) -> None:
        rules = {rule.package: rule for rule in checker.TABLE}
        self.assertEqual(
            ((), ('numpy',)),
            (rules['placement'].own, rules['placement'].others),
        )
        for package, rule in rules.items():
            if package.partition('.')[0] == 'placement':
                inside = all(
                    name.startswith('placement.') for name in rule.own
                )
                self.assertTrue(inside, package)
                self.assertLessEqual({*rule.others}, {'numpy', 'ortools'})
            if package != 'placement.programs':
                self.assertNotIn('ortools', rule.others, package)
            if not package.startswith('devcloud'):
                self.assertNotIn('devcloud', ' '.join(rule.own), package)
            if package != 'engine':
                self.assertNotIn('taskflow', rule.others, package)
        for foreign in ('heat', 'openstack', 'requests', 'sqlalchemy'):
            self.assertNotIn(foreign, rules['engine'].others)
