# SPDX-License-Identifier: Apache-2.0
"""The API for any WSGI server: ``heat_vcluster.wsgi.api:application``.

With ``[work]/jobboard`` the work is done by vcluster-engine, else here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from heat_vcluster import conf as configuration
from heat_vcluster import deploy
from heat_vcluster.api import app
from heat_vcluster.conf import logs

_lock = threading.Lock()
_made: dict[int, app.Application] = {}  # by process: a fork makes its own


def application(env: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request; the first one in a process makes the API."""
    return _application()(env, start_response)


def _application() -> app.Application:
    with _lock:
        made = _made.get(os.getpid())
        if made is None:
            conf = configuration.load()
            logs.begin(conf)
            service = deploy.api_from_config(conf)
            made = _made[os.getpid()] = app.make_app(service, conf)
        return made
