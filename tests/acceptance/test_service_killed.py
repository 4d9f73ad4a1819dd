# SPDX-License-Identifier: Apache-2.0
"""vcluster-service dies, at moments that nobody chose, and is started again.

What is drawn by lot can be had again: ``VCLUSTER_SEED`` names the seed that a
failure tells.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable

from keystoneauth1 import exceptions as ka
from testtools import content

from heat_vcluster import context, deploy
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.engine import base as engine
from tests.acceptance import through_service, world
from tests.functional import documents

SEED = int(os.environ.get('VCLUSTER_SEED') or random.randrange(10**6))
#: How often it dies in each build: at ten moments.
DEATHS = (4, 3, 3)
#: Within so many seconds after an event: it is not the events that matter.
JITTER = 0.5


@functools.cache
def count_of_build() -> int:
    """Return how many events the web cluster has until it is ACTIVE.

    By the same engine on the fake cloud: about as many as here.
    """
    ann = context.Context('alpha', 'ann')
    with tempfile.TemporaryDirectory() as folder:
        service = deploy.assemble(
            FakeCloud(),
            database=f'sqlite:///{folder}/vcluster.sqlite',
            settings=engine.Settings(poll_interval=0.01),
        )
        document = documents.of_template(through_service.TEMPLATE)
        cluster_id = service.create(ann, document)['id']
        service.engine.join(cluster_id)
        status = service.show(ann, cluster_id)['status']
        assert status == 'ACTIVE', status
        count = len(service.events(ann, cluster_id))
        service.stop()
    return count


class Killed(through_service.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Nobody else is to find the cloud without the service.
        self.addCleanup(self.world.start, 'vcluster')
        self.addDetail('seed', content.text_content(f'VCLUSTER_SEED={SEED}'))

    def die_in(self, number: int) -> None:
        """Kill it a few times in one build; all of it is there after."""
        draw = random.Random(f'{SEED}-{number}')
        events = draw.sample(range(count_of_build()), DEATHS[number])
        self.begin()
        for event in sorted(events):
            self.die_after(event, draw.uniform(0, JITTER))
        found = self.settle()
        assert found is not None
        self.assert_web_cluster_once(found)
        self.delete()
        self.assert_nothing_left()

    def die_after(self, event: int, pause: float) -> None:
        moment = f'{pause:.2f} s after event {event}'
        self.addDetail(moment, content.text_content('killed'))
        world.until(
            lambda: (
                self.count_events() >= event
                or (self.show() or {}).get('status') == 'ACTIVE'
            ),
            moment,
        )
        time.sleep(pause)
        self.world.kill('vcluster')
        self.world.start('vcluster')

    def test_while_it_is_asked_for_the_cluster(self) -> None:
        """Whoever heard no answer asks again, by the id of his choice."""
        asking = threading.Thread(target=self.begin_unheard)
        asking.start()
        time.sleep(random.Random(SEED).uniform(0, JITTER))
        self.world.kill('vcluster')
        asking.join()
        self.world.start('vcluster')
        self.begin()
        found = self.settle()
        assert found is not None
        self.assert_web_cluster_once(found)

    def begin_unheard(self) -> None:
        with contextlib.suppress(ka.ConnectionError):
            self.begin()

    def test_while_it_removes_the_cluster(self) -> None:
        self.begin()
        self.settle()
        answer = self.request('DELETE', f'/vclusters/{self.cluster_id}')
        self.assertEqual(202, answer.status_code, answer.text)
        world.until(
            lambda: len(list(self.alpha.compute.servers())) < 8,
            'the first server is gone',
        )
        self.world.kill('vcluster')
        self.world.start('vcluster')
        world.until(lambda: self.show() is None, 'the cluster is gone')
        self.assert_nothing_left()

    def test_stopped_it_hands_over_to_its_next_life(self) -> None:
        third = count_of_build() // 3
        self.begin()
        world.until(lambda: self.count_events() > third, f'event {third}')
        self.world.driver('restart', 'vcluster')
        found = self.settle()
        assert found is not None
        self.assert_web_cluster_once(found)


def _build(number: int) -> Callable[[Killed], None]:
    return lambda test: test.die_in(number)


for _number in range(len(DEATHS)):
    setattr(Killed, f'test_at_random_moments_{_number}', _build(_number))
