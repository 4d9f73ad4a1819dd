# SPDX-License-Identifier: Apache-2.0
"""Removes things and waits until they are gone; never raises."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable

from heat_vcluster import exception
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.engine import base

LOG = logging.getLogger(__name__)

#: Pauses between two attempts, as parts of the poll interval.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 3.0
#: The part of the removal timeout for which refusals are borne by whoever
#: knows that the removal is tried once more later, or is in vain.
IMPATIENCE = 0.1
#: How often the cloud is asked what there is, before it is not known.
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Leftover:
    """A thing that could not be removed, and the service's own reason."""

    thing: model.Thing
    reason: str


def remove(
    site: cloud.Cloud,
    thing: model.Thing,
    settings: base.Settings,
    is_abandoned: Callable[[], bool] = lambda: False,
    is_patient: bool = True,
) -> Leftover | None:
    """Remove one thing and wait until it is gone.

    Refusals ("still in use") are asked again with growing pauses until
    ``removal_timeout`` has passed, or a part of it: the services let go of
    each other's things late. ``is_abandoned`` ends it early, when this
    engine goes down or another has taken over.
    """
    begun = time.monotonic()
    pause = FIRST_PAUSE * settings.poll_interval
    longest = LONGEST_PAUSE * settings.poll_interval
    borne = settings.removal_timeout * (1.0 if is_patient else IMPATIENCE)
    while not is_abandoned():
        allowed = settings.removal_timeout
        reason = 'it was still there when the time allowed ran out'
        try:
            site.delete(thing.kind, thing.id)
            if site.is_gone(thing.kind, thing.id):
                return None
        except exception.CloudForbidden as refused:
            return Leftover(thing, str(refused))
        except exception.LeaseLost:  # a revert never raises
            break
        except exception.CloudError as refused:
            reason = str(refused)
            allowed = borne
        except Exception as broken:  # nor then
            LOG.exception('Removing %s %s failed', thing.kind, thing.id)
            reason = f'unexpected: {type(broken).__name__}'
            allowed = borne
        if time.monotonic() - begun > allowed:
            return Leftover(thing, reason)
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
    return Leftover(thing, 'its removal was interrupted')


def find(
    site: cloud.Cloud,
    settings: base.Settings,
    cluster_id: str,
    member: str | None = None,
    kinds: Iterable[model.Kind] | None = None,
) -> tuple[model.Thing, ...]:
    """Find a cluster's things; raises CloudError only after some attempts."""
    wanted = None if kinds is None else frozenset(kinds)
    for _ in range(ATTEMPTS - 1):
        try:
            return site.find(cluster_id, member, wanted)
        except exception.CloudError as error:
            LOG.warning('Cannot look for things of %s: %s', cluster_id, error)
            time.sleep(settings.poll_interval)
    return site.find(cluster_id, member, wanted)
