# SPDX-License-Identifier: Apache-2.0
"""How one project becomes one process: its API and its engines together.

Messages between an API and its engines then need no broker, and its SQLite
files have no second process to wait for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gunicorn.app.base import (  # type: ignore[import-untyped]
    BaseApplication,
)

from heat_vcluster.devcloud import services, settings
from heat_vcluster.devcloud.services.base import Service


class Project(BaseApplication):
    """A gunicorn server with one worker, which also runs the engines."""

    def __init__(self, service: Service, cloud: settings.Settings) -> None:
        self.service = service
        self.cloud = cloud
        super().__init__()

    def load_config(self) -> None:
        name = self.service.name
        options = {
            'bind': f'{settings.ADDRESS}:{self.cloud.port(name)}',
            'workers': 1,
            'worker_class': 'gthread',
            'threads': self.service.threads,
            'keepalive': 75,
            # A worker that is busy compiling or waiting is not a dead one.
            'timeout': 600,
            'graceful_timeout': 3,
            'proc_name': f'vcluster-devcloud-{name}',
            'pidfile': None,
            'limit_request_line': 8190,
            'errorlog': '-',
            'loglevel': 'warning',
        }
        for key, value in options.items():
            self.cfg.set(key, value)

    def load(self) -> Callable[..., Any]:
        """Called once, in the worker: threads do not survive a fork."""
        # Not at the top: the parent process has no use for SQLAlchemy.
        from heat_vcluster.devcloud.runtime import sqlite

        sqlite.serialize_transactions()
        runtime = self._runtime()
        prepare = getattr(runtime, 'prepare', None)
        if prepare:
            prepare(self.cloud)
        application: Callable[..., Any] = _load_object(self.service.wsgi_app)
        if runtime:
            runtime.start(self.cloud)
        return application

    def _runtime(self) -> ModuleType | None:
        if self.service.runtime is None:
            return None
        return importlib.import_module(self.service.runtime)


def _load_object(path: str) -> Any:
    module, _, name = path.partition(':')
    return getattr(importlib.import_module(module), name)


def main() -> None:
    """Arguments: SERVICE STATE_DIR."""
    name, state_dir = sys.argv[1:]
    # The projects parse the command line as theirs.
    sys.argv = [name]
    cloud = settings.Settings.load(Path(state_dir))
    Project(services.find(name), cloud).run()


if __name__ == '__main__':
    main()
