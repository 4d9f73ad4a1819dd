# SPDX-License-Identifier: Apache-2.0
"""What is told where a host and a port cannot be listened at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from heat_vcluster import exception


@contextlib.contextmanager
def at(group: str, options: Any) -> Iterator[None]:
    """Turn an OSError into InvalidConfiguration, which names the options.

    ``options``: those of the group, with ``host`` and ``port``.
    """
    try:
        yield
    except OSError as error:
        raise exception.InvalidConfiguration(
            f'[{group}]/host, port: cannot listen at {options.host} '
            f'{options.port}: {error}'
        ) from error
