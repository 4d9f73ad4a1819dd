# SPDX-License-Identifier: Apache-2.0
"""Neutron's engines: its RPC listeners, and an L2 agent for each fake host.

The agents wire nothing, but speak the protocol of the Open vSwitch agent:
they report their state, and report each port bound to their host as up. So
ports bind, become ACTIVE, and nova is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import oslo_messaging
from neutron import policy
from neutron.agent import rpc as agent_rpc
from neutron.api.rpc.callbacks import resources
from neutron.conf.agent import common as agent_conf
from neutron_lib import constants, context
from neutron_lib.agent import topics
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from oslo_config import cfg
from oslo_log import log

from heat_vcluster.devcloud import settings
from heat_vcluster.devcloud.services.neutron import PUBLIC_PHYSNET

LOG = log.getLogger(__name__)

REPORT_SECONDS = 30


def start(cloud: settings.Settings) -> None:
    """After the API is loaded, which made the plugins and the database."""
    # The API leaves it to the first request, and refuses all that come before
    # that one has the rules together.
    policy.init()
    for plugin in directory.get_unique_plugins():
        if hasattr(plugin, 'start_rpc_listeners'):
            _listen(plugin)
    agent_conf.register_agent_state_opts_helper(cfg.CONF)
    HostAgents(cloud.host_names).start()


def _listen(plugin: Any) -> None:
    try:
        plugin.start_rpc_listeners()
    except NotImplementedError:
        LOG.debug('%s has no RPC listeners', plugin)


class HostAgents:
    """The L2 agents of all hosts; one listener serves them together."""

    target = oslo_messaging.Target(version='1.4')

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = frozenset(hosts)
        self.context = context.get_admin_context_without_session()
        self.reports = agent_rpc.PluginReportStateAPI(topics.REPORTS)
        self.plugin = agent_rpc.PluginApi(topics.PLUGIN)

    def start(self) -> None:
        """Report every host once, so that ports can bind at once."""
        self.connection = agent_rpc.create_consumers(
            [self], topics.AGENT, [[topics.PORT, topics.UPDATE]]
        )
        for host in sorted(self.hosts):
            self._report(host, first=True)
            self._catch_up(host)
        threading.Thread(
            target=self._report_forever, name='l2-agents', daemon=True
        ).start()

    def port_update(
        self, rpc_context: Any, port: dict[str, Any], **kwargs: Any
    ) -> None:
        """Neutron tells all agents of each change to a port."""
        host = port.get(portbindings.HOST_ID)
        if host in self.hosts and _awaits_wiring(port):
            self._wire([port['id']], host)

    def _catch_up(self, host: str) -> None:
        """Wire what was bound while no agent listened."""
        ports = self.plugin.get_ports_by_vnic_type_and_host(
            self.context, portbindings.VNIC_NORMAL, host
        )
        waiting = [
            port['id']
            for port in ports
            if port['status'] != constants.PORT_STATUS_ACTIVE
        ]
        if waiting:
            self._wire(waiting, host)

    def _wire(self, ports: list[str], host: str) -> None:
        answer = self.plugin.update_device_list(
            self.context, ports, [], f'ovs-agent-{host}', host
        )
        for port in answer['failed_devices_up']:
            LOG.warning('port %s on %s could not be set up', port, host)

    def _report_forever(self) -> None:
        while True:
            time.sleep(REPORT_SECONDS)
            for host in sorted(self.hosts):
                try:
                    self._report(host, first=False)
                except oslo_messaging.MessagingException:
                    LOG.exception('the agent of %s could not report', host)

    def _report(self, host: str, *, first: bool) -> None:
        state = {
            'binary': constants.AGENT_PROCESS_OVS,
            'host': host,
            'topic': constants.L2_AGENT_TOPIC,
            'agent_type': constants.AGENT_TYPE_OVS,
            'configurations': {
                'tunnel_types': [constants.TYPE_VXLAN],
                'bridge_mappings': {PUBLIC_PHYSNET: 'br-ex'},
                'integration_bridge': 'br-int',
                portbindings.OVS_HYBRID_PLUG: False,
            },
        }
        if first:
            state['start_flag'] = True
            state['resource_versions'] = resources.LOCAL_RESOURCE_VERSIONS
        self.reports.report_state(self.context, state, use_call=first)


def _awaits_wiring(port: dict[str, Any]) -> bool:
    return bool(
        port.get(portbindings.VIF_TYPE) == portbindings.VIF_TYPE_OVS
        and port['status'] != constants.PORT_STATUS_ACTIVE
        and port['admin_state_up']
    )
