# SPDX-License-Identifier: Apache-2.0
"""Nova's server groups: they hold rules over hosts at later evacuations.

A group has no tags and no metadata: whose it is stands in its name, which is
the mark that things in neutron have as their description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heat_vcluster import exception
from heat_vcluster.cloud import grouping, model
from heat_vcluster.cloud.openstack import errors, made, tags
from heat_vcluster.cloud.openstack.session import Service

PATH = '/os-server-groups'
#: Nova cuts no longer list than this, unless it is told to.
PAGE = 500


class ServerGroups:
    """The server groups of one tenant."""

    def __init__(self, service: Service, known: made.Made) -> None:
        self._service = service
        self._made = known

    def ensure(self, owner: model.Owner, wanted: grouping.ServerGroup) -> str:
        """Raises CloudForbidden also where it could not be found again."""
        self._service.get(PATH, limit=1)
        body = {'server_group': _body(owner, wanted)}
        found = self._made.ensure(
            model.Kind.SERVER_GROUP,
            owner,
            self.show,
            lambda: self._service.post(PATH, body)['server_group'],
        )
        return str(found['id'])

    def show(self, group_id: str) -> made.Body | None:
        try:
            found: made.Body = self._service.get(f'{PATH}/{group_id}')[
                'server_group'
            ]
        except errors.NotFound:
            return None
        return found

    def find(self, cluster_id: str) -> tuple[model.Thing, ...]:
        """Return those of the cluster.

        In a cloud where tenants may not look at server groups none is made:
        looking comes before making.
        """
        try:
            owned = [
                (item['id'], tags.from_description(item['name']))
                for item in every(self._service)
            ]
        except exception.CloudForbidden:
            return ()
        return tags.things_of(cluster_id, model.Kind.SERVER_GROUP, owned)

    def delete(self, group_id: str) -> None:
        self._service.delete(f'{PATH}/{group_id}')


def every(service: Service, **filters: str) -> Iterator[Mapping[str, Any]]:
    """Give all groups that the identity may see; they know no markers."""
    offset = 0
    while True:
        body = service.get(PATH, limit=PAGE, offset=offset, **filters)
        found = body['server_groups']
        yield from found
        if not found:
            return
        offset += len(found)


def room(limits: Mapping[str, int]) -> grouping.Room:
    """Read what the quotas leave; nova's word for none is -1."""
    groups = limits.get('maxServerGroups', -1)
    members = limits.get('maxServerGroupMembers', -1)
    used = limits.get('totalServerGroupsUsed', 0)
    return grouping.Room(
        None if groups < 0 else max(groups - used, 0),
        None if members < 0 else members,
    )


def _body(owner: model.Owner, wanted: grouping.ServerGroup) -> dict[str, Any]:
    body: dict[str, Any] = {
        'name': tags.description(owner),
        'policy': wanted.policy,
    }
    if wanted.policy == grouping.ANTI_AFFINITY:
        body['rules'] = {'max_server_per_host': wanted.most}
    return body
