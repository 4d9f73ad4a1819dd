# SPDX-License-Identifier: Apache-2.0
"""The service over HTTP: the same verbs, by a session of keystoneauth."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib import parse

from heat_vcluster import client, exception, wire
from heat_vcluster.spec import faults, reader

#: Seconds for which a service that says "not now" is asked again.
PATIENCE = 60.0

_KEEP: Any = object()


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
    service is not ready.
    """

    def __init__(self, adapter: Any, *, patience: float = PATIENCE) -> None:
        self._adapter = adapter
        self._patience = patience

    def validate(self, document: Any) -> None:
        body = {'vcluster': values(document)}
        self._call('POST', '/vclusters/validate', json=body)

    def plan(
        self, document: Any, *, hold_seconds: int | None = None
    ) -> client.View:
        body = _given(vcluster=values(document), hold_seconds=hold_seconds)
        # A hold that nobody knows of would stay until its time is up.
        is_repeatable = hold_seconds is None
        return self._ask(
            'plan',
            'POST',
            '/vclusters/plan',
            json=body,
            is_repeatable=is_repeatable,
        )

    def show_plan(self, plan_id: str) -> client.View:
        return self._ask('plan', 'GET', f'/vclusters/plan/{_part(plan_id)}')

    def release_plan(self, plan_id: str) -> None:
        self._call('DELETE', f'/vclusters/plan/{_part(plan_id)}')

    def create(
        self,
        document: Any,
        *,
        cluster_id: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> client.View:
        wishes = _wishes(name, timeout, metadata, tags)
        # Ours, if not the caller's: then it is safe to ask again.
        wishes['id'] = cluster_id or str(uuid.uuid4())
        body = {'vcluster': {**values(document), **wishes}}
        return self._ask('vcluster', 'POST', '/vclusters', json=body)

    def create_planned(
        self,
        plan_id: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> client.View:
        wishes = _wishes(name, timeout, metadata, tags)
        body = {'vcluster': {'plan_id': plan_id, **wishes}}
        # A plan is built once: a second call would be refused.
        return self._ask(
            'vcluster', 'POST', '/vclusters', json=body, is_repeatable=False
        )

    def update(
        self,
        cluster_id: str,
        *,
        name: str | None = _KEEP,
        metadata: Mapping[str, str] = _KEEP,
        tags: Iterable[str] = _KEEP,
    ) -> client.View:
        wishes = {'name': name, 'metadata': metadata, 'tags': tags}
        changes = {k: v for k, v in wishes.items() if v is not _KEEP}
        body = {'vcluster': changes}
        return self._ask('vcluster', 'PUT', _path(cluster_id), json=body)

    def show(self, cluster_id: str) -> client.View:
        return self._ask('vcluster', 'GET', _path(cluster_id))

    def list(self, **filters: Any) -> Sequence[client.View]:
        return [*self._pages(**filters)]

    def delete(self, cluster_id: str) -> None:
        self._call('DELETE', _path(cluster_id))

    def members(self, cluster_id: str) -> Sequence[client.View]:
        return self._ask('members', 'GET', _path(cluster_id, 'members'))

    def member(self, cluster_id: str, name: str) -> client.View:
        path = _path(cluster_id, 'members', name)
        return self._ask('member', 'GET', path)

    def events(
        self, cluster_id: str, after: int = 0, limit: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        query = _given(after=after, limit=limit)
        path = _path(cluster_id, 'events')
        return self._ask('events', 'GET', path, params=query)

    def topology(self, cluster_id: str) -> client.View:
        path = _path(cluster_id, 'topology')
        return self._ask('topology', 'GET', path)

    def limits(self) -> client.View:
        return self._ask('limits', 'GET', '/limits')

    # -- below ------------------------------------------------------------

    def _pages(
        self, *, limit: int | None = None, **filters: Any
    ) -> Iterator[client.View]:
        """Yield what is listed, page for page; ``limit`` of them in all."""
        query = _query(filters)
        left = math.inf if limit is None else limit
        while left > 0:
            if limit is not None:
                query['limit'] = left
            answer = self._call('GET', '/vclusters', params=query)
            page = _field(answer, 'vclusters')
            yield from page
            if not answer.get('vclusters_links'):
                return
            query['marker'] = page[-1]['id']
            left -= len(page)

    def _ask(self, field: str, method: str, path: str, **options: Any) -> Any:
        return _field(self._call(method, path, **options), field)

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
    return document


def _unwrapped(document: Any) -> Any:
    """Return what is in ``vcluster``, as a request's body is written."""
    if isinstance(document, dict) and [*document] == ['vcluster']:
        return document['vcluster']
    return document


def _wishes(
    name: str | None,
    timeout: float | None,
    metadata: Mapping[str, str] | None,
    tags: Iterable[str] | None,
) -> dict[str, Any]:
    """Return what is asked of a cluster beside its document."""
    return _given(
        name=name,
        timeout=None if timeout is None else math.ceil(timeout),
        metadata=metadata,
        tags=None if tags is None else [*tags],
    )


def _given(**wishes: Any) -> dict[str, Any]:
    return {key: wish for key, wish in wishes.items() if wish is not None}


def _query(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query for the filters of a list."""
    query = _given(**filters)
    if tags := query.pop('tags', None):
        query['tag'] = tags
    if sort := query.pop('sort', None):
        query['sort'] = ','.join(f'{key}:{way}' for key, way in sort)
    if 'all_projects' in query:
        query['all_projects'] = str(query['all_projects']).lower()
    return query


def _path(cluster_id: str, *parts: str) -> str:
    return '/'.join(['/vclusters', *map(_part, (cluster_id, *parts))])


def _part(text: str) -> str:
    """Write a part of a path so that it stays one."""
    return parse.quote(text, safe='')


def _field(answer: Mapping[str, Any], field: str) -> Any:
    """Return a part of an answer; only the service's own answers have it."""
    if field not in answer:
        raise exception.ServiceError(
            f'The service answered without {field!r}: is the endpoint right?',
            None,
        )
    return answer[field]
