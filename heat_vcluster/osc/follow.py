# SPDX-License-Identifier: Apache-2.0
"""Waits for what a cluster is to become, and tells how it comes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from osc_lib import exceptions

from heat_vcluster import client, exception, states
from heat_vcluster.osc import progress

INTERVAL = 1.0  # seconds from one look at the cluster to the next

Status = states.ClusterStatus

#: What a cluster stays in by itself.
ENDS = states.SETTLED


def until_built(
    vcluster: client.Client, cluster_id: str, told: progress.Progress
) -> client.View:
    """Return the view of the cluster once it is ACTIVE.

    Raises CommandError if it is not going to be, or is what it was before
    an update that has failed.
    """
    while True:
        view = vcluster.show(cluster_id)
        told.tell_cluster(view)
        has_failed = view['error_code'] not in (None, states.LEFTOVERS)
        if view['status'] == Status.ACTIVE and not has_failed:
            return view
        if view['status'] in ENDS:
            raise _failed(view)
        time.sleep(INTERVAL)


def until_settled(
    vcluster: client.Client, cluster_id: str, told: progress.Progress
) -> client.View:
    """Return the view once what was asked of a built cluster is over.

    Raises CommandError if it could not be done.
    """
    while True:
        view = vcluster.show(cluster_id)
        told.tell_cluster(view)
        if view['status'] in ENDS:
            if view['error_code'] is not None:
                raise _failed(view)
            return view
        time.sleep(INTERVAL)


class Removal:
    """A delete that was asked for when this was made."""

    def __init__(self, vcluster: client.Client, cluster_id: str) -> None:
        self._vcluster = vcluster
        self._cluster_id = cluster_id
        vcluster.delete(cluster_id)
        # An ERROR that is there by now says nothing about the delete.
        view = self._view_if_any()
        is_error = view is not None and view['status'] == Status.ERROR
        self._overtaken = view['updated_at'] if view and is_error else None

    def wait(self, told: progress.Progress) -> None:
        """Return once nothing is left.

        Raises CommandError if something could not be removed.
        """
        while view := self._view_if_any():
            told.tell_cluster(view)
            is_news = view['updated_at'] != self._overtaken
            if view['status'] == Status.ERROR and is_news:
                raise _failed(view)
            time.sleep(INTERVAL)

    def _view_if_any(self) -> client.View | None:
        try:
            return self._vcluster.show(self._cluster_id)
        except exception.ClusterNotFound:
            return None


def until_gone(
    vcluster: client.Client, cluster_id: str, told: progress.Progress
) -> None:
    """Return once there is no such cluster.

    Raises CommandError if it is in ERROR.
    """
    while True:
        try:
            view = vcluster.show(cluster_id)
        except exception.ClusterNotFound:
            return
        told.tell_cluster(view)
        if view['status'] in ENDS:
            raise _failed(view)
        time.sleep(INTERVAL)


def events(
    vcluster: client.Client, cluster_id: str, after: int
) -> Iterator[Mapping[str, Any]]:
    """Yield events as they happen, until the cluster settles or is gone."""
    while True:
        is_over = _is_over(vcluster, cluster_id)
        for event in vcluster.events(cluster_id, after):
            after = event['id']
            yield event
        if is_over:
            return
        time.sleep(INTERVAL)


def _is_over(vcluster: client.Client, cluster_id: str) -> bool:
    try:
        return vcluster.show(cluster_id)['status'] in ENDS
    except exception.ClusterNotFound:
        return True


def _failed(view: client.View) -> exceptions.CommandError:
    reason = f': {view["status_reason"]}' if view['status_reason'] else ''
    return exceptions.CommandError(
        f'Cluster {view["id"]} is {view["status"]}{reason}'
    )
