# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-heat-plugin: makes heat-engine load our resource."""

from __future__ import annotations

import argparse
import configparser
import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

RESOURCE_TYPE = 'OS::VCluster::Cluster'
PLUGIN_DIR = Path(__file__).parents[1] / 'heat' / 'plugin'
SHIM = PLUGIN_DIR / 'vcluster.py'
SNIPPET = Path('/etc/heat/heat.conf.d/vcluster.conf')
#: As in heat.common.config; the option replaces them, so they are kept.
DEFAULT_DIRS = (
    '/usr/lib64/heat',
    '/usr/lib/heat',
    '/usr/local/lib/heat',
    '/usr/local/lib64/heat',
)

DESCRIPTION = f"""\
Makes heat-engine load {RESOURCE_TYPE}.

heat-engine finds resource types in the directories that plugin_dirs in the
[DEFAULT] section of its configuration names. This package must be installed
in the environment that heat-engine runs in; run this command from there.
"""

EPILOG = f"""\
Ways to install, each one enough by itself:

  vcluster-heat-plugin install
      writes {SNIPPET}, which sets plugin_dirs
      (heat-engine reads /etc/heat/heat.conf.d after /etc/heat/heat.conf)

  vcluster-heat-plugin install --link /usr/lib/heat
      puts a link into a directory that heat-engine searches already

  plugin_dirs = ...,{PLUGIN_DIR}
      one line in heat.conf, after the directories that are there

Then restart heat-engine and look:

  vcluster-heat-plugin check
  openstack orchestration resource type show {RESOURCE_TYPE}
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (OSError, ValueError) as error:
        print(f'vcluster-heat-plugin: {error}', file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='vcluster-heat-plugin',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    path = commands.add_parser(
        'path', help='print the directory that plugin_dirs has to name'
    )
    path.set_defaults(run=_print_path)

    install = commands.add_parser(
        'install', help='make heat-engine find the plugin'
    )
    where = install.add_mutually_exclusive_group()
    where.add_argument(
        '--conf',
        type=Path,
        default=SNIPPET,
        metavar='FILE',
        help='write the setting to this file (default: %(default)s)',
    )
    where.add_argument(
        '--link',
        type=Path,
        metavar='DIR',
        help='instead link the plugin into this directory',
    )
    install.set_defaults(run=_install)

    check = commands.add_parser(
        'check', help='tell whether heat-engine would load the resource type'
    )
    check.add_argument(
        '--config-file',
        type=Path,
        action='append',
        metavar='FILE',
        help="heat-engine's configuration (may be repeated; default: where "
        'heat-engine looks itself)',
    )
    check.set_defaults(run=_check)
    return parser


def _print_path(arguments: argparse.Namespace) -> int:
    print(PLUGIN_DIR)
    return 0


def _install(arguments: argparse.Namespace) -> int:
    if arguments.link:
        _link(arguments.link)
    else:
        _write(arguments.conf)
    print('Restart heat-engine, then run: vcluster-heat-plugin check')
    return 0


def _write(conf: Path) -> None:
    """Write a file that holds the one setting and nothing else."""
    if conf.exists() and not _is_ours(conf):
        raise FileExistsError(
            f'{conf} has other settings; add by hand to its [DEFAULT]: '
            f'plugin_dirs = <what is there>,{PLUGIN_DIR}'
        )
    conf.parent.mkdir(parents=True, exist_ok=True)
    directories = ','.join([*DEFAULT_DIRS, str(PLUGIN_DIR)])
    conf.write_text(f'[DEFAULT]\nplugin_dirs = {directories}\n')
    print(f'Wrote {conf}')


def _is_ours(conf: Path) -> bool:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(conf)
    except (configparser.Error, UnicodeDecodeError):
        return False
    return not parser.sections() and set(parser.defaults()) <= {'plugin_dirs'}


def _link(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / SHIM.name
    if link.resolve() == SHIM.resolve():
        print(f'{link} is there already')
        return
    link.symlink_to(SHIM)
    print(f'Linked {link}')


def _check(arguments: argparse.Namespace) -> int:
    problems = list(_problems(arguments.config_file))
    for problem in problems:
        print(f'- {problem}')
    if problems:
        print(f'heat-engine would not load {RESOURCE_TYPE}')
        return 1
    print(f'heat-engine would load {RESOURCE_TYPE} (once restarted)')
    return 0


def _problems(config_files: Sequence[Path] | None) -> Iterator[str]:
    try:
        _import_heat()
    except ImportError as error:
        yield (
            f'heat is not in this environment ({sys.prefix}): {error}. '
            'Run this command from the environment of heat-engine'
        )
        return
    for module in (
        'heat_vcluster.heat.clients',
        'heat_vcluster.heat.resources',
    ):
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield f'{module} cannot be imported: {error}'
    if not metadata.entry_points(group='heat.clients', name='vcluster'):
        yield (
            "the package's entry point heat.clients is not registered: "
            'install the package again'
        )
    directories = _plugin_dirs(config_files)
    if not any(_holds_shim(Path(directory)) for directory in directories):
        yield (
            f'none of plugin_dirs ({", ".join(directories)}) is or links to '
            f'{PLUGIN_DIR}'
        )


def _import_heat() -> None:
    """Import heat in the way of heat-engine, which begins with threads."""
    importlib.import_module('heat.common.config')
    try:
        backend = importlib.import_module('oslo_service.backend')
    except ImportError:
        return  # older: there is nothing to choose
    backend.init_backend(backend.BackendType.THREADING)


def _plugin_dirs(config_files: Sequence[Path] | None) -> list[str]:
    """Read the option as heat-engine does; raises OSError, ValueError."""
    from oslo_config import cfg

    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.ListOpt('plugin_dirs', default=list(DEFAULT_DIRS)))
    names = None if config_files is None else list(map(str, config_files))
    try:
        conf(
            [],
            project='heat',
            prog='heat-engine',
            default_config_files=names,
        )
        return list(conf.plugin_dirs)
    except cfg.Error as error:
        raise ValueError(str(error)) from error


def _holds_shim(directory: Path) -> bool:
    """Tell whether heat would find the shim there, linked or copied."""
    found = directory / SHIM.name
    return found.is_file() and found.read_bytes() == SHIM.read_bytes()


if __name__ == '__main__':
    sys.exit(main())
