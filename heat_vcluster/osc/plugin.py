# SPDX-License-Identifier: Apache-2.0
"""What openstackclient asks of a plug-in: its names, and its client."""

from __future__ import annotations

import argparse
from typing import Any

from keystoneauth1 import adapter
from osc_lib import utils

from heat_vcluster import client

DEFAULT_API_VERSION = '2'
API_VERSION_OPTION = 'os_vcluster_api_version'
API_NAME = 'vcluster'
API_VERSIONS = ('2',)

#: Seconds: somebody waits who would rather be told.
PATIENCE = 10.0


def make_client(instance: Any, project_id: str | None = None) -> client.Client:
    """Return the client of whoever calls the shell.

    Region, interface and ``vcluster_endpoint_override`` are those of the
    cloud in clouds.yaml, as for every other service. With a ``project_id``
    that of the clusters of another project: the service refuses all but
    administrators.
    """
    # Every command of the shell loads this module, and few are ours.
    from heat_vcluster import http, wire

    config = instance.sdk_connection.config
    kind = wire.SERVICE_TYPE
    ours = adapter.Adapter(
        instance.session,
        service_type=kind,
        region_name=config.get_region_name(kind),
        interface=config.get_interface(kind),
        endpoint_override=config.get_endpoint(kind),
    )
    if project_id is not None:
        # Its last part is the project of whoever asks.
        address, _, _ = wire.root(ours).rpartition('/')
        ours.endpoint_override = f'{address}/{wire.part(project_id)}'
    return http.HttpClient(ours, patience=PATIENCE)


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add the one option that every service's plug-in has."""
    parser.add_argument(
        '--os-vcluster-api-version',
        metavar='<vcluster-api-version>',
        default=utils.env('OS_VCLUSTER_API_VERSION'),
        help='Virtual cluster API version, default='
        f'{DEFAULT_API_VERSION} (Env: OS_VCLUSTER_API_VERSION)',
    )
    return parser
