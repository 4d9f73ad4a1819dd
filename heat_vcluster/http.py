# SPDX-License-Identifier: Apache-2.0
"""The service over HTTP: the same verbs, by a session of keystoneauth."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heat_vcluster import client, exception, wire
from heat_vcluster.spec import faults, reader

#: Seconds for which a service that does not answer is asked again.
PATIENCE = 60.0


class HttpClient(client.Client):
    """One tenant's access to a service elsewhere.

    ``adapter`` (keystoneauth1) knows who asks, and where the service is. A
    document may be values, YAML or JSON text, or (as ``os.PathLike``) a
    file.

    Errors of the service are raised as what they are in
    :mod:`heat_vcluster.exception`, with the ``request_id`` under which the
    service's log has them; ServiceUnavailable if there is no answer. Those
    of keystoneauth are raised if keystone gives no token.

    What may be repeated is asked again for ``patience`` seconds while the
    service is not there or not ready.
    """

    def __init__(self, adapter: Any, *, patience: float = PATIENCE) -> None:
        self._adapter = adapter
        self._patience = patience

    def validate(self, document: Any) -> None:
        body = {'vcluster': values(document)}
        self._call('POST', '/vclusters/validate', json=body)

    def plan(
        self,
        document: Any,
        *,
        hold_seconds: float | None = None,
        cluster_id: str | None = None,
        remove: Sequence[str] | None = None,
    ) -> client.View:
        body = _given(
            vcluster=values(document),
            hold_seconds=_whole(hold_seconds),
            cluster_id=cluster_id,
            remove=None if remove is None else [*remove],
        )
        # A hold that nobody knows of would stay until its time is up.
        is_repeatable = hold_seconds is None
        return self._show(
            'plan',
            'POST',
            '/vclusters/plan',
            json=body,
            is_repeatable=is_repeatable,
        )

    def show_plan(self, plan_id: str) -> client.View:
        return self._show(
            'plan', 'GET', f'/vclusters/plan/{wire.part(plan_id)}'
        )

    def release_plan(self, plan_id: str) -> None:
        self._call('DELETE', f'/vclusters/plan/{wire.part(plan_id)}')

    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> client.View:
        wishes = _wishes(name, timeout, metadata, tags)
        # Ours, if not the caller's: then it is safe to ask again.
        wishes['id'] = cluster_id or str(uuid.uuid4())
        body = {'vcluster': {**values(document), **wishes}}
        return self._show('vcluster', 'POST', '/vclusters', json=body)

    def create_planned(
        self,
        plan_id: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> client.View:
        wishes = _wishes(name, timeout, metadata, tags)
        body = {'vcluster': {'plan_id': plan_id, **wishes}}
        return self._show('vcluster', 'POST', '/vclusters', json=body)

    def update(
        self,
        cluster_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
        document: Any = None,
        remove: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> client.View:
        asked = _wishes(name, timeout, metadata, tags)
        if document is not None:
            asked = {**values(document), **asked}
        if remove is not None:
            asked['remove'] = [*remove]
        body = {'vcluster': asked}
        return self._show('vcluster', 'PUT', _path(cluster_id), json=body)

    def adopt(
        self,
        document: Any,
        members: Mapping[str, str],
        *,
        allow_drifted: bool = False,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> client.View:
        wishes = _wishes(name, timeout, metadata, tags)
        wishes['id'] = cluster_id or str(uuid.uuid4())
        body = {
            'vcluster': {**values(document), **wishes},
            'members': dict(members),
            'allow_drifted': allow_drifted,
        }
        return self._show('vcluster', 'POST', '/vclusters/adopt', json=body)

    def plan_adoption(
        self, document: Any, members: Mapping[str, str]
    ) -> client.View:
        body = {
            'vcluster': values(document),
            'members': dict(members),
            'dry_run': True,
        }
        return self._show('adoption', 'POST', '/vclusters/adopt', json=body)

    def release(self, cluster_id: str) -> None:
        self._call('POST', _path(cluster_id, 'actions', 'release'))

    def show(self, cluster_id: str) -> client.View:
        return self._show('vcluster', 'GET', _path(cluster_id))

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        tags: Sequence[str] | None = None,
        sort: str | None = None,
        limit: int | None = None,
        marker: str | None = None,
        all_projects: bool = False,
    ) -> Sequence[client.View]:
        query = _given(
            name=name,
            status=status,
            tag=tags or None,
            sort=sort,
            marker=marker,
            all_projects='true' if all_projects else None,
        )
        return [*self._pages(query, limit)]

    def check(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'check')

    def heal(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'heal')

    def repair(
        self, cluster_id: str, *, cold: bool = False, rebuild: bool = False
    ) -> client.View:
        path = _path(cluster_id, 'actions', 'repair')
        asked = {'cold': cold, 'rebuild': rebuild}
        return self._show('vcluster', 'POST', path, json=asked)

    def plan_repair(self, cluster_id: str) -> client.View:
        path = _path(cluster_id, 'actions', 'repair')
        return self._show('repair', 'POST', path, json={'dry_run': True})

    def stop(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'stop')

    def start(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'start')

    def suspend(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'suspend')

    def resume(self, cluster_id: str) -> client.View:
        return self._act(cluster_id, 'resume')

    def create_snapshot(
        self,
        cluster_id: str,
        *,
        snapshot_id: str | None = None,
        name: str | None = None,
    ) -> client.View:
        # Ours, if not the caller's: then it is safe to ask again.
        asked = _given(id=snapshot_id or str(uuid.uuid4()), name=name)
        path = _path(cluster_id, 'snapshots')
        return self._show('snapshot', 'POST', path, json={'snapshot': asked})

    def snapshots(self, cluster_id: str) -> Sequence[client.View]:
        return self._list('snapshots', 'GET', _path(cluster_id, 'snapshots'))

    def snapshot(self, cluster_id: str, snapshot_id: str) -> client.View:
        path = _path(cluster_id, 'snapshots', snapshot_id)
        return self._show('snapshot', 'GET', path)

    def restore(
        self,
        cluster_id: str,
        snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> client.View:
        path = _path(cluster_id, 'snapshots', snapshot_id, 'restore')
        asked = _given(timeout=_whole(timeout))
        return self._show('vcluster', 'POST', path, json=asked)

    def delete_snapshot(self, cluster_id: str, snapshot_id: str) -> None:
        self._call('DELETE', _path(cluster_id, 'snapshots', snapshot_id))

    def delete(self, cluster_id: str) -> None:
        self._call('DELETE', _path(cluster_id))

    def members(self, cluster_id: str) -> Sequence[client.View]:
        return self._list('members', 'GET', _path(cluster_id, 'members'))

    def member(self, cluster_id: str, name: str) -> client.View:
        path = _path(cluster_id, 'members', name)
        return self._show('member', 'GET', path)

    def events(
        self, cluster_id: str, after: int = 0, limit: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """All of them, though the service may tell but some at a time."""
        found: list[Mapping[str, Any]] = []
        while limit is None or len(found) < limit:
            left = None if limit is None else limit - len(found)
            query = _given(after=after, limit=left)
            path = _path(cluster_id, 'events')
            page = self._list('events', 'GET', path, params=query)
            if not page:
                break
            found.extend(page)
            after = page[-1]['id']
        return found

    def topology(self, cluster_id: str) -> client.View:
        path = _path(cluster_id, 'topology')
        return self._show('topology', 'GET', path)

    def limits(self) -> client.View:
        return self._show('limits', 'GET', '/limits')

    # -- below ------------------------------------------------------------

    def _act(self, cluster_id: str, verb: str) -> client.View:
        path = _path(cluster_id, 'actions', verb)
        return self._show('vcluster', 'POST', path)

    def _pages(
        self, query: dict[str, Any], limit: int | None
    ) -> Iterator[client.View]:
        """Yield what is listed, page for page; ``limit`` of them in all."""
        left = limit
        while left is None or left > 0:
            asked = query if left is None else {**query, 'limit': left}
            answer = self._call('GET', '/vclusters', params=asked)
            page = _field(answer, 'vclusters')
            yield from page
            if not answer.get('vclusters_links'):
                return
            query['marker'] = page[-1]['id']
            left = None if left is None else left - len(page)

    def _show(
        self, field: str, method: str, path: str, **options: Any
    ) -> client.View:
        answer = self._call(method, path, **options)
        view: client.View = _field(answer, field)
        return view

    def _list(
        self, field: str, method: str, path: str, **options: Any
    ) -> Sequence[client.View]:
        answer = self._call(method, path, **options)
        views: Sequence[client.View] = _field(answer, field)
        return views

    def _call(
        self, method: str, path: str, **options: Any
    ) -> Mapping[str, Any]:
        return wire.call(
            self._adapter, method, path, patience=self._patience, **options
        )


def values(source: Any) -> dict[str, Any]:
    """Return a document as plain values of JSON.

    Raises InvalidDocument if it cannot be sent: it is none, or has a key
    twice. All else is the service's to judge.
    """
    found = faults.Faults()
    try:
        document = _unwrapped(reader.plain(reader.read(source), found))
    except reader.Unreadable as error:
        found.add((), str(error))
    else:
        if not isinstance(document, dict):
            found.add((), 'must be a mapping with instances and groups')
    if found:
        raise found.error()
    return dict(document)


def _unwrapped(document: Any) -> Any:
    """Return what is in ``vcluster``, as a request's body is written."""
    if isinstance(document, dict) and [*document] == ['vcluster']:
        return document['vcluster']
    return document


def _wishes(
    name: str | None,
    timeout: float | None,
    metadata: Mapping[str, str] | None,
    tags: Sequence[str] | None,
) -> dict[str, Any]:
    """Return what is asked of a cluster beside its document."""
    return _given(
        name=name,
        timeout=_whole(timeout),
        metadata=metadata,
        tags=None if tags is None else [*tags],
    )


def _given(**wishes: Any) -> dict[str, Any]:
    return {key: wish for key, wish in wishes.items() if wish is not None}


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else math.ceil(seconds)


def _path(cluster_id: str, *parts: str) -> str:
    return '/'.join(['/vclusters', *map(wire.part, (cluster_id, *parts))])


def _field(answer: Mapping[str, Any], field: str) -> Any:
    """Return a part of an answer; only the service's own answers have it."""
    if field not in answer:
        raise exception.ServiceError(
            f'The service answered without {field!r}: is the endpoint right?',
            None,
        )
    return answer[field]
