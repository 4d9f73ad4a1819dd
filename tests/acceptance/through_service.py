# SPDX-License-Identifier: Apache-2.0
"""How a test asks vcluster-service, past every client of the product."""

from __future__ import annotations

import collections
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fixtures
from openstack.connection import Connection

from tests.acceptance import built, world
from tests.functional import documents

TEMPLATE = 'web_cluster.yaml'
SETTLED = ('ACTIVE', 'STOPPED', 'SUSPENDED', 'ERROR', 'DELETED')
#: What ``TEMPLATE`` is made of: each thing once, and no hold left.
WEB_CLUSTER = {
    'server': 8,
    'volume': 2,
    'attachment': 2,
    'network': 2,
    'subnet': 2,
    'router': 1,
    'floating ip': 2,
    'allocation': 8,
}


class ServiceTestCase(built.BuiltTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.document = documents.of_template(TEMPLATE)
        self.cluster_id = str(uuid.uuid4())

    # Asking

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        tenant: Connection | None = None,
        project: str | None = None,
    ) -> Any:
        """Return the answer; ``project`` is another one than the token's."""
        session = (tenant or self.alpha).session
        project = project or session.get_project_id()
        return session.request(
            f'{self.world.settings.url("vcluster")}/v2/{project}{path}',
            method,
            json=body,
            raise_exc=False,
            log=False,
        )

    def show(self, cluster_id: str | None = None) -> dict[str, Any] | None:
        answer = self.request(
            'GET', f'/vclusters/{cluster_id or self.cluster_id}'
        )
        if answer.status_code == 404:
            return None
        self.assertEqual(200, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()['vcluster']
        return found

    def begin(self) -> None:
        """Ask for the cluster; whatever comes of it, it is deleted."""
        self.addCleanup(self.delete)
        answer = self.request(
            'POST',
            '/vclusters',
            {'vcluster': {'id': self.cluster_id, **self.document}},
        )
        self.assertEqual(202, answer.status_code, answer.text)

    def settle(self, cluster_id: str | None = None) -> dict[str, Any] | None:
        """Wait until nothing is done about it any more."""

        def is_settled() -> bool:
            found = self.show(cluster_id)
            return found is None or found['status'] in SETTLED

        world.until(is_settled, 'the cluster is settled')
        return self.show(cluster_id)

    def delete(self) -> None:
        """Delete the cluster and wait; there may be none."""
        answer = self.request('DELETE', f'/vclusters/{self.cluster_id}')
        if answer.status_code == 404:
            return
        self.assertEqual(202, answer.status_code, answer.text)
        world.until(
            lambda: (self.show() or {}).get('status') in (None, 'ERROR'),
            'the cluster is deleted',
        )
        self.assertIsNone(self.show())

    def count_events(self) -> int:
        answer = self.request('GET', f'/vclusters/{self.cluster_id}/events')
        return len(answer.json()['events'])

    # The shell

    def write_document(self) -> Path:
        path = Path(self.useFixture(fixtures.TempDir()).path, 'web.yaml')
        path.write_text(json.dumps(self.document))  # JSON is YAML, too
        return path

    # What must hold

    def assert_web_cluster_once(self, found: Mapping[str, Any]) -> None:
        """All of it is there, by its rules; nothing is there twice."""
        self.assertEqual('ACTIVE', found['status'], found['status_reason'])
        self.assert_built(found['members'])
        self.assert_web_cluster(found['members'], webs=4)

        new = self.world.everything() - self.before
        made = collections.Counter(thing.kind for thing in new)
        self.assertEqual(
            WEB_CLUSTER, {kind: made[kind] for kind in WEB_CLUSTER}
        )
