# SPDX-License-Identifier: Apache-2.0
"""What cinder tells of volumes and of their snapshots alike."""

from __future__ import annotations

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import errors, made, tags
from heat_vcluster.cloud.openstack.session import Service


def show(service: Service, name: str, thing_id: str) -> made.Body | None:
    """Return a thing of ``/NAMEs``; None if there is none of that id."""
    try:
        found: made.Body = service.get(f'/{name}s/{thing_id}')[name]
    except errors.NotFound:
        return None
    return found


def reason(
    service: Service, secrets: errors.Secrets, name: str, thing_id: str
) -> str:
    """Return cinder's own words for a failure; they come as messages."""
    try:
        body = service.get('/messages', resource_uuid=thing_id)
    except exception.CloudError:
        body = {'messages': []}
    words = [message['user_message'] for message in body['messages']]
    text = '; '.join(dict.fromkeys(words)) or f'the {name} went to error'
    return secrets.hide(text)


def find(
    service: Service, name: str, kind: model.Kind, cluster_id: str
) -> tuple[model.Thing, ...]:
    """Return those of a cluster, by its mark in their metadata."""
    # Cinder reads this filter as a Python literal.
    mark = str({tags.META_CLUSTER: cluster_id})
    items = service.pages(f'/{name}s/detail', f'{name}s', metadata=mark)
    owned = (
        (item['id'], tags.from_metadata(item['metadata'])) for item in items
    )
    return tags.things_of(cluster_id, kind, owned)
