# SPDX-License-Identifier: Apache-2.0
"""Images, as glance has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat_vcluster.cloud.openstack import errors
from heat_vcluster.cloud.openstack.session import Service


def named(service: Service, name: str) -> list[Mapping[str, Any]]:
    """Return the images with that id or, failing that, that name."""
    try:
        return [service.get(f'/images/{name}')]
    except (errors.NotFound, errors.Refused):
        return service.pages('/images', 'images', name=name)
