# SPDX-License-Identifier: Apache-2.0
"""The hold: room in placement that is ours until nova claims it."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud.openstack import errors
from heat_vcluster.cloud.openstack.inventory import Share
from heat_vcluster.cloud.openstack.session import Service

CONSUMER_TYPE = 'VCLUSTER_HOLD'
CONCURRENT = 'placement.concurrent_update'
#: Words that tell a consumer that exists from a race of providers; nova
#: tells them apart in the same way.
CONSUMER_CONFLICT = 'consumer generation conflict'
NO_ROOM = 'Unable to allocate inventory'
RACES = 12
TAKEN = 'room at the planned places was taken in the meantime'


@dataclasses.dataclass(frozen=True, slots=True)
class Tenant:
    """To whose quota the held room counts."""

    project_id: str
    user_id: str


def reserve(
    service: Service,
    tenant: Tenant,
    shares: Mapping[str, Share],
    chunk: int,
) -> None:
    """Hold all shares (consumer uuid -> share), or none.

    One consumer for each member: placement checks max_unit for each
    consumer, so one for several could be refused although there is room.
    Raises ReservationConflict.
    """
    ids = sorted(shares, key=lambda i: (sorted(shares[i]), i))
    taken: list[str] = []
    try:
        for start in range(0, len(ids), chunk):
            part = ids[start : start + chunk]
            taken.extend(part)
            _take(service, tenant, {i: shares[i] for i in part})
    except exception.VClusterError:
        release(service, taken)
        raise


def _take(
    service: Service, tenant: Tenant, shares: Mapping[str, Share]
) -> None:
    """Hold one chunk in one transaction, in spite of races."""
    missing = dict(shares)
    for attempt in range(RACES):
        if not missing:
            return
        body = {i: _consumer(tenant, share) for i, share in missing.items()}
        try:
            service.post('/allocations', body)
            return
        except errors.Unclear:
            if attempt == RACES - 1:
                raise
            missing = _without_held(service, missing)
        except errors.Refused as error:
            if NO_ROOM in error.reason:
                raise exception.ReservationConflict(TAKEN) from error
            if error.kind != CONCURRENT:
                raise
            if CONSUMER_CONFLICT in error.reason:
                missing = _without_held(service, missing)
        _back_off(attempt)
    raise exception.ReservationConflict(
        'too many others were changing the same hosts'
    )


def _consumer(tenant: Tenant, share: Share) -> dict[str, Any]:
    return {
        'allocations': {u: {'resources': dict(p)} for u, p in share.items()},
        'project_id': tenant.project_id,
        'user_id': tenant.user_id,
        'consumer_generation': None,
        'consumer_type': CONSUMER_TYPE,
    }


def _without_held(
    service: Service, shares: Mapping[str, Share]
) -> dict[str, Share]:
    held = find(service, shares)
    return {i: share for i, share in shares.items() if i not in held}


def find(service: Service, ids: Iterable[str]) -> frozenset[str]:
    """Return those of the consumers that hold anything now."""
    return frozenset(i for i in ids if allocations(service, i))


def allocations(service: Service, consumer: str) -> Mapping[str, Any]:
    """Return provider uuid -> allocation; empty for unknown consumers."""
    found: Mapping[str, Any] = service.get(f'/allocations/{consumer}')[
        'allocations'
    ]
    return found


def release(service: Service, ids: Sequence[str]) -> None:
    """Give back what the consumers hold; all are tried.

    Raises the first error, after trying the others.
    """
    trouble: exception.CloudError | None = None
    for consumer in ids:
        try:
            _release(service, consumer)
        except exception.CloudError as error:
            trouble = trouble or error
    if trouble:
        raise trouble


def _release(service: Service, consumer: str) -> None:
    for attempt in range(RACES):
        try:
            service.delete(f'/allocations/{consumer}')
            return
        except errors.Refused:
            if attempt == RACES - 1:
                raise
        _back_off(attempt)


def _back_off(attempt: int) -> None:
    """Wait a random while that grows: those who raced must not meet again."""
    time.sleep(random.uniform(0.01, 0.1 * min(attempt + 1, 8)))  # noqa: S311
