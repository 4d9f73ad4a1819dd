# SPDX-License-Identifier: Apache-2.0
"""How several of cinder's services live in one process.

Cinder starts each in a process of its own, and so keeps the number of "the"
service in a class attribute.
"""

from __future__ import annotations

import time

from cinder import context, objects, service
from cinder.cmd import volume as volume_cmd
from cinder.common import constants
from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_log import log

LOG = log.getLogger(__name__)

READY_SECONDS = 120


class Neighbour(service.Service):
    """A service that knows its own row among several in this process."""

    def report_state(self) -> None:
        try:
            row = objects.Service.get_by_id(
                context.get_admin_context(), self.origin_service_id
            )
            row.report_count += 1
            row.save(retry=False)
        except db_exc.DBError:
            LOG.exception('%s could not report its state', self.host)


def start_volume(backend: str) -> None:
    cfg.CONF.register_opt(volume_cmd.host_opt, group=backend)
    host = f'{cfg.CONF[backend].backend_host}@{backend}'
    volume = Neighbour.create(
        host=host,
        service_name=backend,
        binary=constants.VOLUME_BINARY,
        coordination=True,
    )
    volume.start()
    # After a long pause the scheduler would take it for dead until its next
    # regular report.
    volume.report_state()


def start_scheduler() -> None:
    """Returns when the scheduler has heard of all backends.

    Raises TimeoutError when some did not report.
    """
    scheduler = Neighbour.create(binary=constants.SCHEDULER_BINARY)
    scheduler.start()
    scheduler.report_state()
    deadline = time.monotonic() + READY_SECONDS
    while not scheduler.manager.driver.is_ready():
        if time.monotonic() > deadline:
            raise TimeoutError('not all volume backends reported')
        time.sleep(0.1)
