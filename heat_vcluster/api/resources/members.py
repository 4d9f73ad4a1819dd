# SPDX-License-Identifier: Apache-2.0
"""What a cluster is made of, and what happened to it."""

from __future__ import annotations

from heat_vcluster.api.operation import (
    Answer,
    Call,
    Operation,
    Reply,
    Resource,
    operation,
)
from heat_vcluster.api.schemas import members as schemas
from heat_vcluster.api.schemas import plans


class Members(Resource):
    @operation(
        Operation(
            'list_members',
            "List a cluster's members in the order of its document",
            {200: Answer('All of them', schemas.MEMBERS_ANSWER)},
            'members:list',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str) -> Reply:
        members = self.parts.service.members(call.context, cluster_id)
        return Reply({'members': list(members)})


class Member(Resource):
    @operation(
        Operation(
            'show_member',
            'Show a member by its name in the document',
            {200: Answer('The member', schemas.MEMBER_ANSWER)},
            'members:show',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str, name: str) -> Reply:
        member = self.parts.service.member(call.context, cluster_id, name)
        return Reply({'member': member})


class Events(Resource):
    @operation(
        Operation(
            'list_events',
            'List what happened to a cluster, the oldest first',
            {200: Answer('Those that were asked for', schemas.EVENTS_ANSWER)},
            'events:list',
            (404,),
            query=schemas.EVENTS_QUERY,
        )
    )
    def on_get(self, call: Call, cluster_id: str) -> Reply:
        most = self.parts.settings.max_limit
        limit = min(call.query.get('limit', most), most)
        events = self.parts.service.events(
            call.context,
            cluster_id,
            after=call.query.get('after', 0),
            limit=limit,
        )
        return Reply({'events': list(events)})


class Topology(Resource):
    @operation(
        Operation(
            'show_topology',
            "Show where a cluster's members are, in pseudonyms",
            {200: Answer('From the widest level on', plans.TOPOLOGY_ANSWER)},
            'topology:show',
            (404,),
        )
    )
    def on_get(self, call: Call, cluster_id: str) -> Reply:
        topology = self.parts.service.topology(call.context, cluster_id)
        return Reply({'topology': topology})
