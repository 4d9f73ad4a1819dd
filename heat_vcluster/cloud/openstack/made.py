# SPDX-License-Identifier: Apache-2.0
"""What a cluster already has, so that nothing of it is made twice."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, pace

LOG = logging.getLogger(__name__)

Body = Mapping[str, Any]
Ids = dict[model.Owner, tuple[str, ...]]


class Made:
    """Lookup-or-create by owner, for one cloud opened for one run.

    The things of a cluster are listed once per kind. From then on whoever
    runs the cluster is the only one who makes any, so a miss needs no call;
    a hit is looked at again, as the thing may be gone. After an answer that
    leaves open whether something was made, the list is read anew; that goes
    on for ``seconds`` of pauses. What others make meanwhile, and lists that
    they have begun to read before, do not stand for it.
    """

    def __init__(
        self,
        ask: Callable[[model.Kind, str], Iterable[model.Thing]],
        seconds: float,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._own: dict[tuple[model.Kind, model.Owner], str] = {}
        self._lists: dict[tuple[model.Kind, str], Ids] = {}
        self._forgotten: collections.Counter[tuple[model.Kind, str]] = (
            collections.Counter()
        )

    def ensure(
        self,
        kind: model.Kind,
        owner: model.Owner,
        look: Callable[[str], Body | None],
        create: Callable[[], Body],
    ) -> Body:
        """Return the body of the owner's thing.

        ``look`` returns the body of a thing by id, or None if that thing
        does not count (any more).
        """
        patience = pace.Patience(self._seconds)
        while True:
            # Several: one that failed may be on its way out beside another.
            for thing_id in self._find(kind, owner):
                body = look(thing_id)
                if body is not None:
                    return body
            try:
                body = create()
            except errors.Unclear as error:
                if not patience.wait():
                    raise
                LOG.info('Unclear whether %s was made: %s', owner, error)
                self._forget(kind, owner)
            else:
                self._add(kind, owner, body['id'])
                return body

    def _find(self, kind: model.Kind, owner: model.Owner) -> tuple[str, ...]:
        with self._lock:
            own = self._own.get((kind, owner))
        if own is not None:
            return (own,)
        return self._listed(kind, owner.cluster_id).get(owner, ())

    def _listed(self, kind: model.Kind, cluster_id: str) -> Ids:
        key = (kind, cluster_id)
        with self._lock:
            known = self._lists.get(key)
            before = self._forgotten[key]
        if known is not None:
            return known
        found: Ids = {}
        for thing in self._ask(*key):
            found[thing.owner] = (*found.get(thing.owner, ()), thing.id)
        with self._lock:
            if self._forgotten[key] == before:
                self._lists[key] = found
        return found

    def _add(
        self, kind: model.Kind, owner: model.Owner, thing_id: str
    ) -> None:
        with self._lock:
            self._own[kind, owner] = thing_id

    def _forget(self, kind: model.Kind, owner: model.Owner) -> None:
        key = (kind, owner.cluster_id)
        with self._lock:
            self._own.pop((kind, owner), None)
            self._lists.pop(key, None)
            self._forgotten[key] += 1
