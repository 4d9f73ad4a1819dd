# SPDX-License-Identifier: Apache-2.0
"""The services of the cloud, one module each, in the order they start."""

from __future__ import annotations

import importlib

from heat_vcluster.devcloud.services.base import Service
from heat_vcluster.devcloud.settings import BASE_PORTS

NAMES = tuple(BASE_PORTS)


def find(name: str) -> Service:
    """The service's module holds one class, named as the service is."""
    if name not in NAMES:
        raise KeyError(name)
    module = importlib.import_module(f'{__name__}.{name}')
    service: Service = getattr(module, name.capitalize())()
    return service
