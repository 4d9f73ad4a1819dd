# SPDX-License-Identifier: Apache-2.0
"""How a Heat resource gets at the verbs, as the owner of its stack."""

from __future__ import annotations

from typing import Any

from heat.engine.clients import client_plugin
from keystoneauth1 import adapter

from heat_vcluster import client, context, deploy, exception, http, wire

CLIENT_NAME = wire.SERVICE_TYPE  # as in the section [clients_vcluster]

#: Seconds that a call waits for a service that is away: well below those
#: that heat-api waits for heat-engine.
PATIENCE = 20.0


class VClusterClientPlugin(client_plugin.ClientPlugin):
    """Heat's view of our client: who asks, and what its errors mean.

    Where the catalog has an endpoint of the service, that is asked; without
    one, the service lives in the engine's own process (see
    ``heat_vcluster.deploy``). So the plug-in names no ``service_types``:
    Heat would hide the resource from clouds without the endpoint.
    """

    def _create(self, version: str | None = None) -> client.Client:
        if self.does_endpoint_exist(wire.SERVICE_TYPE, CLIENT_NAME):
            return self._elsewhere()
        return self._in_process()

    def _elsewhere(self) -> client.Client:
        endpoint = self.url_for(
            service_type=wire.SERVICE_TYPE,
            endpoint_type=self._get_client_option(
                CLIENT_NAME, 'endpoint_type'
            ),
        )
        return http.HttpClient(
            adapter.Adapter(
                self.context.keystone_session,
                service_type=wire.SERVICE_TYPE,
                endpoint_override=endpoint,
                # The service's log names the request that Heat was asked in.
                global_request_id=self.context.global_request_id,
            ),
            patience=PATIENCE,
        )

    def _in_process(self) -> client.Client:
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
        missing = (exception.ClusterNotFound, exception.SnapshotNotFound)
        return isinstance(ex, missing)

    def is_conflict(self, ex: Any) -> bool:
        """Nothing is: Heat answers a conflict by creating five times more."""
        return False

    def is_over_limit(self, ex: Any) -> bool:
        over = (exception.QuotaExceeded, exception.LimitExceeded)
        return isinstance(ex, over)
