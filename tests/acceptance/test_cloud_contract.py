# SPDX-License-Identifier: Apache-2.0
"""The real cloud keeps the contract that the fake one keeps."""

from __future__ import annotations

from pathlib import Path

import testtools

from heat_vcluster import conf, context
from heat_vcluster.cloud.openstack import OpenStackOpener
from tests.acceptance import world
from tests.functional import cloud_contract


class OpenStackTest(cloud_contract.CloudContract, testtools.TestCase):
    pause = 0.2

    def setUp(self) -> None:
        cloud = world.settings()
        self.opener = OpenStackOpener.from_config(
            conf.load(config_files=[config_file(cloud.state_dir)])
        )
        self.cloud = self.open(cloud, 'alpha')
        self.other_cloud = self.open(cloud, 'beta')
        super().setUp()

    def open(self, cloud, account):
        session = world.connect(cloud, account).session
        return self.opener.open(
            context.Context(
                session.get_project_id(), session.get_user_id(), session
            )
        )


def config_file(state_dir: Path) -> Path:
    """The file that the cloud's own heat-engine reads."""
    return state_dir / 'etc' / 'vcluster' / 'heat-vcluster.conf'
