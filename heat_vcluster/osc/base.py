# SPDX-License-Identifier: Apache-2.0
"""What all commands share: the client, names for ids, files, patience."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from pathlib import Path
from typing import Any

from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions, utils
from osc_lib.command import command

from heat_vcluster import client, exception
from heat_vcluster.osc import plugin, progress


class Command(command.Command):
    """A command about clusters.

    ``EXAMPLES`` stand at the end of its help, as they are written here.
    """

    EXAMPLES = ''

    #: The latest of two equal options wins: cliff's own -f gives way to ours.
    conflict_handler = 'resolve'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        if self.EXAMPLES:
            parser.epilog = f'Examples:\n{self.EXAMPLES}'
        self.add_arguments(parser)
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own arguments."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._project = getattr(parsed_args, 'project', None)
        is_quiet = self.app.options.verbose_level == 0
        self.progress = progress.Progress(sys.stderr, is_quiet=is_quiet)
        with self.progress:
            try:
                code: int = super().run(parsed_args)
            except (exception.ServiceError, exception.ServiceUnavailable) as e:
                # What the service's operator can find it by.
                request = f' (request ID: {e.request_id})'
                raise exceptions.CommandError(
                    f'{e}{request if e.request_id else ""}'
                ) from e
        return code

    @functools.cached_property
    def vcluster(self) -> client.Client:
        manager = self.app.client_manager
        if self._project is None:
            ours: client.Client = manager.vcluster
            return ours
        return plugin.make_client(manager, self._project_id(self._project))

    def _project_id(self, wanted: str) -> str:
        """Return the id of a project; what is called so by none is refused.

        Who may not ask keystone for projects has to know the id.
        """
        if utils.is_uuid_like(wanted):
            return wanted
        identity = self.app.client_manager.sdk_connection.identity
        try:
            found = identity.find_project(wanted)
        except sdk_exceptions.ForbiddenException:
            return wanted
        if found is None:
            raise exceptions.CommandError(
                f'No project with a name or ID of {wanted!r} exists'
            )
        project_id: str = found.id
        return project_id

    def find(self, wanted: str) -> str:
        """Return the id of the cluster with such a name or id.

        Raises CommandError if no cluster is called so, or several are.
        """
        if utils.is_uuid_like(wanted):
            return wanted
        found = self.vcluster.list(name=wanted, limit=2)
        if not found:
            raise exceptions.CommandError(
                f'No cluster with a name or ID of {wanted!r} exists'
            )
        if len(found) > 1:
            raise exceptions.CommandError(
                f'More than one cluster is called {wanted!r}: name it by ID'
            )
        cluster_id: str = found[0]['id']
        return cluster_id


class ShowOne(Command, command.ShowOne):
    """Shows one thing."""


class Lister(Command, command.Lister):
    """Lists things of one kind."""


def add_cluster(parser: argparse.ArgumentParser, **more: Any) -> None:
    parser.add_argument(
        'cluster',
        metavar='<cluster>',
        **{'help': 'Name or ID of the cluster', **more},
    )
    parser.add_argument(
        '--project',
        metavar='<project>',
        help='Name or ID of the project it is in, if not yours (admin only)',
    )


# Files

STDIN = Path('-')


class FileOrFormat(argparse.Action):
    """-f FILE, and -f FORMAT as every other command has it.

    What is no output format is a file. One that is called like a format can
    still be named by --file.
    """

    def __init__(self, *args: Any, formats: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._formats = formats

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if values in self._formats:
            namespace.formatter = values
        else:
            namespace.file = Path(values)


def add_file(parser: argparse.ArgumentParser, formats: Any) -> None:
    """Add the options that name a document's file.

    ``formats`` are the names of the command's output formats.
    """
    parser.add_argument(
        '-f',
        dest='file',
        action=FileOrFormat,
        formats=frozenset(formats),
        metavar='<file>',
        help='The document: a file with YAML or JSON, - for standard input. '
        'The name of an output format (such as json) chooses that format '
        'instead',
    )
    parser.add_argument(
        '--file',
        type=Path,
        metavar='<file>',
        help='The document, whatever its file is called',
    )


def document(path: Path | None) -> str | os.PathLike[str]:
    """Return what the client reads a document from.

    Raises CommandError if there is no such file, or none was named.
    """
    if path is None:
        raise exceptions.CommandError('Name a document: -f FILE')
    if path == STDIN:
        return sys.stdin.read()
    if not path.is_file():
        raise exceptions.CommandError(
            f'{path} is no file (nor an output format)'
        )
    return path
