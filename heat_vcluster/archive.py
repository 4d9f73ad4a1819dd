# SPDX-License-Identifier: Apache-2.0
"""Keeps problems and plans as files: JSON, gzipped where the name says so."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import itertools
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from heat_vcluster.placement import format as documents
from heat_vcluster.placement import model

LOG = logging.getLogger(__name__)

_GZIP = b'\x1f\x8b'  # how gzipped files begin


class Unreadable(ValueError):
    """The file is no JSON document."""


def read(path: Path) -> Any:
    """Return the document; gzipped or not is told by its first bytes.

    Raises OSError and Unreadable, that also if a key is there twice.
    """
    content = path.read_bytes()
    try:
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        return json.loads(content, object_pairs_hook=_mapping)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f'damaged gzip: {error}') from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f'no JSON: {error}') from error


def _mapping(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key {json.dumps(key)} is there twice')
        found[key] = value
    return found


def write(path: Path, document: Any, mode: int | None = None) -> None:
    """Write the document whole or not at all; raises OSError.

    ``mode`` is the file's; None: as the umask has it.
    """
    content = json.dumps(document, separators=(',', ':')).encode()
    if path.suffix == '.gz':
        # No time in it: equal documents are equal files.
        content = gzip.compress(content, mtime=0)
    write_bytes(path, content, mode)


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put the content in place of the file's, whole or not at all."""
    if path.exists() and not path.is_file():  # a pipe, or /dev/stdout
        path.write_bytes(content)
        return
    with _replacing(path, mode) as file:
        file.write(content)


@contextlib.contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
    number, name = tempfile.mkstemp(prefix=f'.{path.name}.', dir=path.parent)
    try:
        with os.fdopen(number, 'wb') as file:
            yield file
        os.chmod(name, 0o666 & ~_umask() if mode is None else mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    """Return the process's umask, which can be read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class Recorder:
    """Saves every problem that is posed, with its answer.

    The files name hosts: they are for the operator alone. What cannot be
    written is logged; the create that asked goes on.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def __call__(
        self, problem: model.Problem, answer: model.Answer, seed: int
    ) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            stem = self._directory / self._stem()
            write(
                Path(f'{stem}.problem.json.gz'),
                documents.problem_of(problem, {'seed': seed}),
                0o600,
            )
            write(
                Path(f'{stem}.plan.json.gz'),
                documents.plan_of(problem, answer, {'seed': seed}),
                0o600,
            )
        except (OSError, ValueError) as error:
            LOG.warning(
                'A decision could not be saved in %s: %s',
                self._directory,
                error,
            )

    def _stem(self) -> str:
        """Return a name that sorts by time and is this decision's alone."""
        now = datetime.datetime.now(datetime.UTC)
        moment = now.strftime('%Y%m%dT%H%M%S.%fZ')
        return f'{moment}-{os.getpid()}-{next(self._numbers)}'
