# SPDX-License-Identifier: Apache-2.0
"""Heat's engine, in threads beside its API."""

from __future__ import annotations

import sys

from oslo_service import backend

from heat_vcluster.devcloud import settings


def prepare(cloud: settings.Settings) -> None:
    backend.init_backend(backend.BackendType.THREADING)
    conf = cloud.etc('heat') / 'heat.conf'
    sys.argv = ['heat', '--config-file', str(conf)]


def start(cloud: settings.Settings) -> None:
    """As ``heat.cmd.engine`` does, without its launcher's processes."""
    from heat.common import config
    from heat.engine import service, template
    from heat.rpc import api
    from oslo_config import cfg

    config.startup_sanity_check()
    if not template._get_template_extension_manager().names():
        raise RuntimeError('heat has no template format plugin')
    service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC).start()
