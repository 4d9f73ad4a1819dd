# SPDX-License-Identifier: Apache-2.0
"""What operators can measure: the one list of it, and how it is served.

By prometheus_client; where that is not installed nothing is measured, and
whoever counts something does not notice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from heat_vcluster import exception

try:
    import prometheus_client
    from prometheus_client import core
except ImportError:
    prometheus_client = None

T = TypeVar('T')


class _Nothing:
    """Stands for any metric that nobody keeps."""

    def labels(self, *values: str) -> _Nothing:
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass

    def time(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def _counter(name: str, text: str, *labels: str) -> Any:
    if prometheus_client is None:
        return _Nothing()
    return prometheus_client.Counter(f'vcluster_{name}', text, labels)


def _histogram(
    name: str, text: str, buckets: Iterable[float], *labels: str
) -> Any:
    if prometheus_client is None:
        return _Nothing()
    return prometheus_client.Histogram(
        f'vcluster_{name}', text, labels, buckets=tuple(buckets)
    )


#: From a look at the capacity to the build of a large cluster.
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800)

DECISIONS = _counter(
    'decisions',
    'Searches for a placement, by what came of them (feasible, infeasible, '
    'unknown).',
    'verdict',
)
PHASES = _histogram(
    'phase_seconds',
    'How long the phases of a create take: resolve, read, solve and hold, '
    'each as often as it is done; build, which is all of a create; change, '
    'which is an update until it counts; rollback.',
    SECONDS,
    'phase',
)
HOLDS = _counter(
    'holds',
    'Members whose room was to be held, by what came of it (held, refused: '
    'others had been quicker).',
    'outcome',
)
PLACES_LOST = _counter(
    'places_lost',
    'Members whose place others took between the release of their hold and '
    'the claim by nova, and which were placed anew.',
)
RETRIES = _counter(
    'retries',
    'Requests to a service of the cloud that had to be sent again.',
    'service',
)
ROLLBACKS = _counter('rollbacks', 'Clusters that were rolled back.')


def timed(phase: str, things: Iterable[T]) -> Iterator[T]:
    """Give the things; the time that each takes to come is of the phase."""
    coming = iter(things)
    while True:
        begun = time.perf_counter()
        try:
            thing = next(coming)
        except StopIteration:
            return
        PHASES.labels(phase).observe(time.perf_counter() - begun)
        yield thing


def serve(host: str, port: int, count: Callable[[], Mapping[str, int]]) -> int:
    """Serve all of it to a Prometheus, until the process ends.

    Port 0 is any that is free; returns the one it is. ``count`` gives
    status -> number of clusters. To be called once in a process. Raises
    InvalidConfiguration if prometheus_client is not there, and OSError.
    """
    if prometheus_client is None:
        raise exception.InvalidConfiguration(
            '[metrics]/port is set, but prometheus_client is not installed'
        )
    prometheus_client.REGISTRY.register(_Clusters(count))
    server, _ = prometheus_client.start_http_server(port, host)
    return int(server.server_port)


class _Clusters:
    """Counts the clusters when it is asked, for they are everybody's."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def describe(self) -> Iterable[Any]:
        return ()

    def collect(self) -> Iterator[Any]:
        family = core.GaugeMetricFamily(
            'vcluster_clusters',
            'Clusters and held plans in the database, by status.',
            labels=['status'],
        )
        try:
            for status, number in self._count().items():
                family.add_metric([status], number)
        except exception.ServiceUnavailable:
            return  # the rest can still be told
        yield family
