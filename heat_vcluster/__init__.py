# SPDX-License-Identifier: Apache-2.0
"""Group provisioning on OpenStack: decided jointly, held first, built whole.

The names below are the library; they are loaded when first used, so that
importing the package stays light.
"""

from __future__ import annotations

import importlib
from typing import Any

_LIBRARY = {
    'Context': 'heat_vcluster.context',
    'FakeCloud': 'heat_vcluster.cloud.fake',
    'GroupSpec': 'heat_vcluster.spec.model',
    'Settings': 'heat_vcluster.library',
    'VCluster': 'heat_vcluster.library',
    'VClusterError': 'heat_vcluster.exception',
    'load': 'heat_vcluster.spec.loader',
}

__all__ = list(_LIBRARY)


def __getattr__(name: str) -> Any:
    if name not in _LIBRARY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_LIBRARY[name]), name)
