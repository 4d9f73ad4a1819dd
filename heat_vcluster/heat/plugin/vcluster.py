# SPDX-License-Identifier: Apache-2.0
"""The shim that heat-engine finds in ``plugin_dirs``.

Heat loads every file of such a directory under a name of its own, and stops
altogether if one of them cannot be imported. So nothing is imported here
until Heat asks for the types, and a failure then only leaves ours out.
"""

import importlib
import logging

LOG = logging.getLogger('heat_vcluster.heat')


def available_resource_mapping() -> dict[str, type]:
    """Name -> class, or nothing if the package cannot be used here."""
    try:
        # The client comes first: a type without it would be of no use.
        importlib.import_module('heat_vcluster.heat.clients')
        resources = importlib.import_module('heat_vcluster.heat.resources')
    except ImportError as error:
        LOG.warning(
            'OS::VCluster::Cluster is not available: %s. Install '
            'heat-vcluster with its dependencies into the environment of '
            'heat-engine; "vcluster-heat-plugin check" tells more.',
            error,
        )
        return {}
    mapping: dict[str, type] = resources.resource_mapping()
    return mapping
