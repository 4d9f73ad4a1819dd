# SPDX-License-Identifier: Apache-2.0
"""Keeps problems and plans as files: JSON, gzipped where the name says so."""

from __future__ import annotations

import contextlib
import datetime
import errno
import gzip
import io
import itertools
import json
import logging
import os
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from heat_vcluster.placement import format as documents
from heat_vcluster.placement import model

LOG = logging.getLogger(__name__)

_GZIP = b'\x1f\x8b'  # how gzipped files begin
# Of a document: twenty times what a cloud of 100,000 hosts takes.
MOST_BYTES = 1 << 28
# What the process itself writes to as it goes: standard output and error.
_STREAMS = (1, 2)


class Unreadable(ValueError):
    """The file is no JSON document."""


def read(path: Path) -> Any:
    """Return the document; gzipped or not is told by its first bytes.

    Raises OSError and Unreadable, that also if a key is there twice.
    """
    with path.open('rb') as file:
        content = file.read(MOST_BYTES + 1)
    try:
        if content.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise Unreadable(f'more than {MOST_BYTES:,} bytes')
        return json.loads(content, object_pairs_hook=_mapping)
    except Unreadable:
        raise
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
    """Write the document as :func:`write_bytes` does; raises OSError.

    ``mode`` is the file's; None: that of the file that is replaced, or as
    the umask has it.
    """
    content = json.dumps(document, separators=(',', ':')).encode()
    if path.suffix == '.gz':
        # No time in it: equal documents are equal files.
        content = gzip.compress(content, mtime=0)
    write_bytes(path, content, mode)


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put the content in place of the file's, whole or not at all.

    Of a link, that which it leads to is replaced; the link stays. What is no
    file, a pipe or a device, is written to, and so is what standard output
    or standard error go to: more may come there. Raises OSError, which has
    the path as ``filename``.
    """
    with _naming(path):
        stream = _stream(path)
        if stream is not None:
            with os.fdopen(os.dup(stream), 'wb') as file:
                file.write(content)
        elif _is_replaced(path):
            with _replacing(Path(os.path.realpath(path)), mode) as file:
                file.write(content)
        else:
            path.write_bytes(content)


def check_writable(path: Path) -> None:
    """Raise OSError if it can be known that nothing can be written there.

    Nothing is changed; a full disk, for one, is not found.
    """
    with _naming(path):
        if _stream(path) is not None:
            return
        if _is_replaced(path):
            folder = os.path.dirname(os.path.realpath(path))
            with tempfile.TemporaryFile(dir=folder):
                return
        if not os.access(path, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def are_one(one: Path, other: Path) -> bool:
    """Tell whether both are the same file, which one write would replace."""
    return (
        os.path.realpath(one) == os.path.realpath(other)
        and _is_replaced(one)
        and _stream(one) is None
    )


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error name the path that was asked for, and no other."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _found(path: Path) -> os.stat_result | None:
    """Return what is there, behind all links; raises OSError."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _stream(path: Path) -> int | None:
    """Return which of the process's own streams the path is, if it is one."""
    found = _found(path)
    if found is None:
        return None
    for number in _STREAMS:
        with contextlib.suppress(OSError):  # it may be closed
            if os.path.samestat(found, os.fstat(number)):
                return number
    return None


def _is_replaced(path: Path) -> bool:
    """Tell whether it is a file, or nothing yet; raises OSError."""
    found = _found(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    return found is None or stat.S_ISREG(found.st_mode)


@contextlib.contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
    # Short: the longest name that a file may have must do, too.
    number, name = tempfile.mkstemp(prefix='.', dir=path.parent)
    try:
        with os.fdopen(number, 'wb') as file:
            yield file
        os.chmod(name, _mode(path) if mode is None else mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """Return the mode of what is there, or what the umask leaves of all."""
    found = _found(path)
    if found is None:
        return 0o666 & ~_umask()
    return stat.S_IMODE(found.st_mode)


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
