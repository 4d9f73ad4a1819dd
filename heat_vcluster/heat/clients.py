# SPDX-License-Identifier: Apache-2.0
"""How a Heat resource gets at the verbs, as the owner of its stack."""

from __future__ import annotations

from typing import Any

from heat.engine.clients import client_plugin

from heat_vcluster import client, context, deploy, exception


class VClusterClientPlugin(client_plugin.ClientPlugin):
    """Heat's view of our client: who asks, and what its errors mean.

    It has no service type: until there is an endpoint in the catalog, the
    service lives in the engine's own process (see ``heat_vcluster.deploy``).
    """

    def _create(self, version: str | None = None) -> client.Client:
        asking = self.context
        owner = context.Context(
            project_id=asking.project_id,
            user_id=asking.user_id,
            auth=asking.keystone_session,
            request_id=asking.request_id,
        )
        ours: client.Client = deploy.client(owner)
        return ours

    def is_not_found(self, ex: Any) -> bool:
        return isinstance(ex, exception.ClusterNotFound)

    def is_conflict(self, ex: Any) -> bool:
        """Nothing is: Heat answers a conflict by creating five times more."""
        return False

    def is_over_limit(self, ex: Any) -> bool:
        return isinstance(ex, exception.QuotaExceeded)
