# SPDX-License-Identifier: Apache-2.0
"""Cinder's engines: every volume backend, and the scheduler over them."""

from __future__ import annotations

import sys

from heat_vcluster.devcloud import settings


def prepare(cloud: settings.Settings) -> None:
    """Before the API parses the command line, which closes the options."""
    # Registers options of the command line, which can be done only now.
    import cinder.cmd.volume  # noqa: F401

    conf = cloud.etc('cinder') / 'cinder.conf'
    sys.argv = ['cinder', '--config-file', str(conf)]


def start(cloud: settings.Settings) -> None:
    """Backends first: the scheduler is ready once all have reported."""
    from cinder import objects

    from heat_vcluster.devcloud.runtime import cinder_service

    objects.register_all()
    for backend in cloud.backend_names:
        cinder_service.start_volume(backend)
    cinder_service.start_scheduler()
