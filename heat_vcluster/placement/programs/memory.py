# SPDX-License-Identifier: Apache-2.0
"""Memory that solvers have taken is given back."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator

LARGE = 50_000  # terms of a program that takes tens of megabytes to solve


@contextlib.contextmanager
def spared(terms: int) -> Iterator[None]:
    """Solve within a program of so many terms, as sparingly as can be.

    Solvers leave what they free in pieces, and in the keeping of threads that
    are over, where the next one does not find it.
    """
    if terms < LARGE:
        yield
        return
    _trim()
    try:
        yield
    finally:
        _trim()


def _trim() -> None:
    """Return what is free to the system, where the C library can (glibc)."""
    trim = _trimming()
    if trim is not None:
        trim(0)


@functools.cache
def _trimming() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
