# SPDX-License-Identifier: Apache-2.0
"""Clusters: created, listed, shown, changed, deleted."""

from __future__ import annotations

from typing import Any

from heat_vcluster import exception
from heat_vcluster.api import access, bodies
from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.schemas import clusters as schemas
from heat_vcluster.api.schemas import common
from heat_vcluster.spec import reader

_DOCUMENT_KEYS = ('instances', 'groups', 'groupings', 'survive')


class Clusters(Resource):
    @operation(
        Operation(
            'create_vcluster',
            'Create a cluster of a document, or of a held plan',
            {
                202: Answer(
                    'It is being built',
                    schemas.CLUSTER_ANSWER,
                    has_location=True,
                )
            },
            'clusters:create',
            (403, 404, 409, 410, 502),
            body=schemas.CREATE_BODY,
        )
    )
    def on_post(self, call: Call) -> Reply:
        wanted, _ = bodies.unwrap(call.body())
        if any(key == 'plan_id' for key, _ in wanted):
            values = bodies.insisted(wanted, schemas.OF_PLAN)
            view = self.parts.service.create_planned(
                call.context, values.pop('plan_id'), **values
            )
        else:
            document, beside = split(self.parts.service, wanted)
            view = self.parts.service.create(
                call.context,
                document,
                cluster_id=beside.pop('id', None),
                **beside,
            )
        shown = linked(call, view)
        return Reply({'vcluster': shown}, location=shown['links'][0]['href'])

    @operation(
        Operation(
            'list_vclusters',
            "List a project's clusters",
            {200: Answer('A page of them', schemas.CLUSTERS_ANSWER)},
            'clusters:list',
            query=schemas.LIST_QUERY,
        )
    )
    def on_get(self, call: Call) -> Reply:
        filters = {**call.query}
        if filters.get('all_projects'):
            self.parts.access.insist(
                call.request, access.LIST_ALL, call.context.project_id
            )
        most = self.parts.settings.max_limit
        limit = min(filters.pop('limit', most), most)
        found = self.parts.service.list(
            call.context,
            tags=filters.pop('tag', ()),
            limit=limit + 1,  # one more tells whether there is a next page
            **filters,
        )
        page = [linked(call, view) for view in found[:limit]]
        answer: dict[str, Any] = {'vclusters': page}
        if len(found) > limit:
            query = {**_as_written(call.query), 'marker': page[-1]['id']}
            href = call.link(query=query)
            answer['vclusters_links'] = [{'rel': 'next', 'href': href}]
        return Reply(answer)


class Cluster(Resource):
    @operation(
        Operation(
            'show_vcluster',
            'Show a cluster',
            {200: Answer('All of it', schemas.CLUSTER_ANSWER)},
            'clusters:show',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str) -> Reply:
        view = self.parts.service.show(call.context, cluster_id)
        return Reply({'vcluster': linked(call, view)})

    @operation(
        Operation(
            'update_vcluster',
            "Change a cluster's name, metadata or tags; or all of it",
            {
                200: Answer('As it is now', schemas.CLUSTER_ANSWER),
                202: Answer(
                    'It is on its way to its new definition',
                    schemas.CLUSTER_ANSWER,
                ),
            },
            'clusters:update',
            (403, 404, 409, 502),
            body=schemas.UPDATE_BODY,
        )
    )
    def on_put(self, call: Call, cluster_id: str) -> Reply:
        wanted, _ = bodies.unwrap(call.body())
        if any(key in _DOCUMENT_KEYS for key, _ in wanted):
            return self._change(call, cluster_id, wanted)
        changes = bodies.insisted(wanted, schemas.UPDATE)
        view = self.parts.service.update(call.context, cluster_id, **changes)
        return Reply({'vcluster': linked(call, view)}, 200)

    def _change(
        self, call: Call, cluster_id: str, wanted: reader.Pairs
    ) -> Reply:
        self.parts.access.insist(
            call.request, access.CHANGE, call.context.project_id
        )
        document, beside = split(
            self.parts.service, wanted, schemas.BESIDE_CHANGE
        )
        view = self.parts.service.update(
            call.context, cluster_id, document=document, **beside
        )
        return Reply({'vcluster': linked(call, view)}, 202)

    @operation(
        Operation(
            'delete_vcluster',
            'Delete a cluster, whatever state it is in',
            {202: Answer('It is being removed')},
            'clusters:delete',
            (404, 409, 502),
        )
    )
    def on_delete(self, call: Call, cluster_id: str) -> Reply:
        self.parts.service.delete(call.context, cluster_id)
        return Reply()


class Validation(Resource):
    @operation(
        Operation(
            'validate_vcluster',
            'Check a document without asking the cloud',
            {204: Answer('It can be meant')},
            'clusters:validate',
            body=schemas.VALIDATE_BODY,
        )
    )
    def on_post(self, call: Call) -> Reply:
        wanted, _ = bodies.unwrap(call.body())
        document, _ = split(self.parts.service, wanted)
        self.parts.service.load(document)
        return Reply()


def split(
    service: Any,
    wanted: reader.Pairs,
    around: common.Schema = schemas.BESIDE,
) -> tuple[reader.Pairs, dict[str, Any]]:
    """Part the document from what stands beside it, which is checked.

    Raises InvalidDocument: if anything beside is wrong, then with the
    document's own faults too, so that all are told at once.
    """
    beside, document = bodies.part(wanted, around['properties'])
    values, wrong = bodies.checked(beside, around)
    if wrong:
        raise exception.InvalidDocument(
            (*wrong, *faults_of(service, document))
        )
    return document, values


def faults_of(
    service: Any, document: reader.Pairs
) -> tuple[exception.Fault, ...]:
    try:
        service.load(document)
    except exception.InvalidDocument as error:
        return error.faults
    return ()


def linked(call: Call, view: dict[str, Any]) -> dict[str, Any]:
    """Add where a cluster is found, which only this door knows."""
    href = call.link(view['id'], project_id=view['project_id'])
    return {**view, 'links': [{'rel': 'self', 'href': href}]}


def _as_written(query: dict[str, Any]) -> dict[str, Any]:
    flags = {True: 'true', False: 'false'}
    return {
        name: flags[value] if isinstance(value, bool) else value
        for name, value in query.items()
    }
