# SPDX-License-Identifier: Apache-2.0
"""Which package may import what, and whether the source keeps to it.

The way of the data is spec -> placement -> cloud -> engine -> views: a stage
may import the stages before it and none after it. The table below is that
rule in full. The longest matching row counts; the standard library and a
row's own package are always allowed.

Run without arguments it checks the product next to it and prints each
breach as ``path:line: module imports what it may not``.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PRODUCT = 'heat_vcluster'
ANYTHING = '*'


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What the modules at and below ``package`` may import.

    ``own`` names modules of the product, without its name in front; a name
    that ends in ``.*`` includes everything below it. ``others`` names top
    level packages of other projects.
    """

    package: str
    own: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


VALUES = ('exception', 'states', 'context', 'registry')
CLOUD_INTERFACE = (
    'cloud',
    'cloud.base',
    'cloud.existing',
    'cloud.grouping',
    'cloud.model',
)
PROBLEM = ('placement.columns', 'placement.constraints', 'placement.model')
PROGRAMMED = (*PROBLEM, 'placement.numbers.*', 'placement.programs.*')

TABLE = (
    # The root is light: it only points at what a program may want.
    Rule('', ('cloud.fake.*', 'exception', 'library', 'spec.*')),
    Rule('exception'),
    Rule('states'),
    Rule('context'),
    Rule('registry'),
    # Whoever does something may count it.
    Rule('metrics', ('exception',), ('prometheus_client',)),
    # WHAT was asked: knows no cloud.
    Rule('spec', ('exception', 'registry'), ('jsonschema', 'yaml')),
    # WHERE it goes: pure functions of values. What decides sees all below it;
    # a search sees the problem in numbers, and no more of other searches than
    # is named here.
    Rule('placement', (), ('numpy',)),
    # What a plan means is found without any search.
    Rule(
        'placement.checker',
        ('placement.model', 'placement.placed', 'placement.policies.*'),
    ),
    Rule(
        'placement.placed',
        ('placement.columns', 'placement.model'),
        ('numpy',),
    ),
    Rule('placement.policies', PROBLEM),
    Rule('placement.numbers', (*PROBLEM, 'placement.policies.*'), ('numpy',)),
    Rule(
        'placement.programs',
        (*PROBLEM, 'placement.numbers.*'),
        ('numpy', 'ortools'),
    ),
    Rule('placement.greedy', (*PROBLEM, 'placement.numbers.*'), ('numpy',)),
    Rule('placement.counting', PROGRAMMED, ('numpy',)),
    Rule('placement.alone', PROGRAMMED, ('numpy',)),
    Rule('placement.bounds', PROGRAMMED, ('numpy',)),
    Rule(
        'placement.finishing', (*PROGRAMMED, 'placement.greedy.*'), ('numpy',)
    ),
    Rule(
        'placement.better',
        (*PROGRAMMED, 'placement.counting.*', 'placement.greedy.*'),
        ('numpy',),
    ),
    Rule(
        'placement.explanation',
        (
            *PROBLEM,
            'placement.base',
            'placement.numbers.*',
            'placement.policies.*',
        ),
        ('numpy',),
    ),
    Rule('placement.pictures', PROBLEM, ('numpy',)),
    # What decides sees all searches, and nothing of what is said about it.
    Rule(
        'placement.ways',
        (
            *PROGRAMMED,
            'placement.alone.*',
            'placement.counting.*',
            'placement.finishing.*',
            'placement.greedy.*',
        ),
        ('numpy',),
    ),
    Rule(
        'planner',
        ('exception', 'metrics', 'placement.*', 'registry', 'spec.*'),
    ),
    # THE OUTSIDE: knows no TaskFlow.
    Rule('cloud', (*VALUES, 'placement.*', 'spec.*')),
    Rule(
        'cloud.openstack',
        (
            *VALUES,
            *CLOUD_INTERFACE,
            'cloud.offers',
            'cloud.sampling',
            'conf.*',
            'metrics',
            'placement.*',
            'spec.*',
        ),
        (
            'keystoneauth1',
            'numpy',
            'openstack',
            'oslo_config',
            'oslo_log',
            'oslo_utils',
            'requests',
        ),
    ),
    Rule('members', (*VALUES, *CLOUD_INTERFACE, 'placement.model', 'spec.*')),
    # The only package that knows TaskFlow; it knows no Heat, HTTP, SQL or
    # openstacksdk: the cloud is an interface and the store keeps records.
    Rule(
        'engine',
        (
            *VALUES,
            *CLOUD_INTERFACE,
            'db',
            'db.api',
            'db.records',
            'db.writer',
            'members.*',
            'metrics',
            'placement.*',
            'planner',
            'spec.*',
        ),
        ('futurist', 'oslo_log', 'oslo_utils', 'taskflow'),
    ),
    Rule(
        'db',
        ('cloud.model', 'exception', 'placement.model', 'states'),
        ('alembic', 'oslo_db', 'oslo_log', 'oslo_utils', 'sqlalchemy'),
    ),
    Rule(
        'views',
        (
            'db.records',
            'exception',
            'members.base',
            'placement.losses',
            'placement.model',
            'placement.pseudonyms',
            'spec.difference',
            'spec.incarnations',
            'spec.model',
            'states',
        ),
    ),
    Rule('arguments', ('db.listing', 'exception', 'states')),
    Rule('quota', ('db.usage',)),
    Rule(
        'service',
        (
            *VALUES,
            *CLOUD_INTERFACE,
            'arguments',
            'client',
            'db',
            'db.api',
            'db.records',
            'db.writer',
            'engine.*',
            'members.*',
            'placement.*',
            'planner',
            'quota',
            'spec.*',
            'views',
        ),
        ('oslo_log', 'oslo_utils'),
    ),
    # Problems and plans as files: the I/O that placement has none of.
    Rule('archive', ('placement.*',)),
    # The front doors are thin: they see the client.
    Rule('client'),
    Rule('direct', ('arguments', 'client', 'context', 'service')),
    Rule(
        'http',
        ('client', 'exception', 'spec.faults', 'spec.reader', 'wire'),
    ),
    Rule('wire', ('exception',), ('keystoneauth1',)),
    Rule('sdk', ('wire',), ('openstack',)),
    Rule(
        'osc',
        (
            'client',
            'exception',
            'http',
            # Drawing what the service tells, not deciding anything.
            'placement.pictures.boxes',
            'placement.pictures.signs',
            'states',
            'wire',
        ),
        ('cliff', 'keystoneauth1', 'openstack', 'osc_lib', 'yaml'),
    ),
    Rule(
        'heat',
        (
            'client',
            'context',
            'deploy',
            'exception',
            'http',
            'states',
            'wire',
        ),
        ('heat', 'keystoneauth1', 'oslo_log'),
    ),
    # Extracts, calls the service, shows: it knows no cloud and no engine.
    Rule(
        'api',
        (
            *VALUES,
            'arguments',
            'conf',
            'conf.auth',
            'service',
            'spec',
            'spec.faults',
            'spec.reader',
            'spec.schema',
            'spec.shape',
        ),
        (
            'falcon',
            'jsonschema',
            'keystoneauth1',
            'keystonemiddleware',
            'oslo_config',
            'oslo_context',
            'oslo_middleware',
            'oslo_policy',
            'webob',
        ),
    ),
    Rule('wsgi', ('api.app', 'conf', 'conf.logs', 'deploy'), ('cheroot',)),
    # Wiring: the one place where config, cloud, store and engine meet.
    Rule(
        'conf',
        ('exception',),
        ('keystoneauth1', 'oslo_config', 'oslo_db', 'oslo_log'),
    ),
    Rule(
        'deploy',
        (
            *VALUES,
            *CLOUD_INTERFACE,
            'archive',
            'client',
            'cloud.openstack.*',
            'conf.*',
            'db.*',
            'direct',
            'engine.*',
            'placement.*',
            'planner',
            'quota',
            'service',
        ),
        ('keystoneauth1', 'oslo_config', 'oslo_log'),
    ),
    Rule(
        'library',
        (
            *VALUES,
            'client',
            'cloud.*',
            'conf.*',
            'db.*',
            'deploy',
            'direct',
            'engine.*',
            'placement.*',
            'planner',
            'registry',
            'service',
            'spec.*',
            'views',
        ),
    ),
    Rule(
        'cmd',
        ('conf.*', 'db.*', 'deploy', 'exception', 'heat'),
        ('oslo_config', 'oslo_log'),
    ),
    Rule(
        'cmd.api',
        ('cmd.serving', 'deploy', 'exception', 'service'),
        ('oslo_config',),
    ),
    Rule(
        'cmd.engine',
        (
            'cmd.config_file',
            'cmd.measuring',
            'cmd.signals',
            'conf',
            'conf.logs',
            'deploy',
            'exception',
        ),
    ),
    Rule('cmd.service', ('cmd.serving', 'deploy')),
    Rule(
        'cmd.serving',
        (
            'api.app',
            'cmd.config_file',
            'cmd.listening',
            'cmd.measuring',
            'cmd.signals',
            'conf',
            'conf.logs',
            'exception',
            'service',
            'wsgi.server',
        ),
        ('oslo_config', 'oslo_log'),
    ),
    Rule(
        'cmd.manage',
        ('cmd.db', 'cmd.orphans', 'cmd.quota', 'cmd.solve'),
    ),
    Rule(
        'cmd.db',
        (
            'cmd.config_file',
            'conf',
            'db.api',
            'db.connection',
            'db.migration',
            'deploy',
            'exception',
        ),
        ('oslo_config',),
    ),
    Rule(
        'cmd.quota',
        ('cmd.db', 'db.api', 'db.usage', 'deploy'),
        ('oslo_config',),
    ),
    Rule(
        'cmd.status',
        (
            'api.app',
            'cmd.db',
            'conf',
            'db.connection',
            'db.migration',
            'deploy',
            'exception',
        ),
        ('oslo_config', 'oslo_upgradecheck'),
    ),
    # An operator's look at the whole cloud, beside the record.
    Rule(
        'cmd.orphans',
        (
            *VALUES,
            'cloud.model',
            'cloud.openstack',
            'cloud.openstack.*',
            'cmd.config_file',
            'cmd.db',
            'conf',
            'db.api',
            'db.connection',
            'deploy',
            'engine.base',
            'engine.flows',
            'engine.removal',
            'engine.runner',
        ),
        ('keystoneauth1', 'openstack', 'oslo_config'),
    ),
    Rule(
        'cmd.solve',
        ('archive', 'cmd.summary', 'exception', 'placement.*', 'registry'),
    ),
    Rule('cmd.config_file'),
    Rule('cmd.signals'),
    Rule('cmd.listening', ('exception',)),
    Rule(
        'cmd.measuring',
        ('cmd.listening', 'db.api', 'deploy', 'metrics'),
        ('oslo_config',),
    ),
    Rule('cmd.summary', ('placement.*',)),
    # Asks an installed heat whether it would load the plugin.
    Rule(
        'cmd.heat_plugin', ('heat',), ('heat', 'oslo_config', 'oslo_service')
    ),
    # Stands apart: nothing of the product imports it, and it nothing of
    # the product. Its driving side runs before anything is installed.
    Rule('devcloud'),
    Rule(
        'devcloud.bootstrap', ('devcloud.*',), ('keystoneauth1', 'openstack')
    ),
    Rule('devcloud.runtime', ('devcloud.*',), (ANYTHING,)),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Import:
    """One import: ``module`` in full, at a line of its file."""

    module: str
    line: int


@dataclasses.dataclass(frozen=True, slots=True)
class Breach:
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: {self.message}'


def breaches(root: Path, table: Sequence[Rule] = TABLE) -> list[Breach]:
    """Check the product below ``root`` (the directory that holds it)."""
    paths = {
        module_name(path.relative_to(root)): path
        for path in sorted((root / PRODUCT).rglob('*.py'))
    }
    found: list[Breach] = []
    for module, path in paths.items():
        rule = rule_for(module, table)
        if rule is None:
            found.append(
                Breach(path, 1, f'no row of the table covers {module}')
            )
            continue
        found.extend(
            Breach(path, one.line, f'{module} may not import {one.module}')
            for one in imports(path, module, paths)
            if not is_allowed(one.module, rule)
        )
    return found


def module_name(path: Path) -> str:
    parts = path.with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def rule_for(module: str, table: Sequence[Rule]) -> Rule | None:
    """The row with the longest package at or above the module.

    The row of the root covers the root alone: every package needs its own.
    """
    inside = module.removeprefix(PRODUCT).removeprefix('.')
    matches = [
        rule
        for rule in table
        if inside == rule.package
        or (rule.package and inside.startswith(rule.package + '.'))
    ]
    return max(matches, key=lambda rule: len(rule.package), default=None)


def is_allowed(module: str, rule: Rule) -> bool:
    top, _, inside = module.partition('.')
    if top != PRODUCT:
        return (
            top in sys.stdlib_module_names
            or top in rule.others
            or ANYTHING in rule.others
        )
    own = (*rule.own, f'{rule.package}.*' if rule.package else '')
    return any(_covers(allowed, inside) for allowed in own)


def _covers(allowed: str, inside: str) -> bool:
    if not allowed.endswith('.*'):
        return inside == allowed
    return f'{inside}.'.startswith(allowed[:-1])


def imports(
    path: Path, module: str, known: dict[str, Path]
) -> Iterator[Import]:
    """All imports of a file, wherever in it they stand.

    ``from a import b`` is an import of ``a.b`` if that is a module, else of
    ``a``.
    """
    package = (
        module if path.name == '__init__.py' else module.rpartition('.')[0]
    )
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            for alias in node.names:
                full = f'{base}.{alias.name}'
                yield Import(full if full in known else base, node.lineno)
        elif isinstance(node, ast.Call) and (name := _imported_by(node)):
            yield Import(name, node.lineno)


def _base(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ''
    parts = package.split('.')
    above = parts[: len(parts) - node.level + 1]
    return '.'.join([*above, *([node.module] if node.module else [])])


def _imported_by(node: ast.Call) -> str | None:
    """The module named in ``import_module('...')``, if it is a literal."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr='import_module')
            | ast.Name(id='import_module' | '__import__'),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name
    return None


def main(arguments: Sequence[str], table: Sequence[Rule] = TABLE) -> int:
    root = Path(arguments[0] if arguments else Path(__file__).parents[1])
    found = breaches(root, table)
    for breach in found:
        print(breach)
    print(f'import rule: {len(found)} breaches')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
