# SPDX-License-Identifier: Apache-2.0
"""vcluster-service dies, at moments that nobody chose, and is started again.

What is drawn by lot can be had again: ``VCLUSTER_SEED`` names the seed that a
failure tells.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable

from keystoneauth1 import exceptions as ka
from testtools import content

from tests.acceptance import through_service, world

SEED = int(os.environ.get('VCLUSTER_SEED') or random.randrange(10**6))
MOMENTS = 10
#: So many are told of the web cluster from its begin to ACTIVE.
EVENTS = 49
#: Within so many seconds after an event: it is not the events that matter.
JITTER = 0.5


class Killed(through_service.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Nobody else is to find the cloud without the service.
        self.addCleanup(self.world.start, 'vcluster')
        self.addDetail('seed', content.text_content(f'VCLUSTER_SEED={SEED}'))

    def die_at(self, number: int) -> None:
        """Kill it at the moment of this number; all of it is there after."""
        draw = random.Random(f'{SEED}-{number}')
        event, pause = draw.randrange(EVENTS), draw.uniform(0, JITTER)
        moment = f'VCLUSTER_SEED={SEED}: {pause:.2f} s after event {event}'
        self.addDetail('moment', content.text_content(moment))
        self.begin()
        world.until(
            lambda: (
                self.count_events() >= event
                or (self.show() or {}).get('status') == 'ACTIVE'
            ),
            f'event {event}',
        )
        time.sleep(pause)
        self.world.kill('vcluster')
        self.world.start('vcluster')
        found = self.settle()
        assert found is not None
        self.assert_web_cluster_once(found)
        self.delete()
        self.assert_nothing_left()

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
        self.begin()
        world.until(lambda: self.count_events() > EVENTS // 3, 'a third')
        self.world.driver('restart', 'vcluster')
        found = self.settle()
        assert found is not None
        self.assert_web_cluster_once(found)


def _moment(number: int) -> Callable[[Killed], None]:
    return lambda test: test.die_at(number)


for _number in range(MOMENTS):
    setattr(Killed, f'test_random_moment_{_number}', _moment(_number))
