# SPDX-License-Identifier: Apache-2.0
"""vcluster-service dies, at moments that nobody chose, and is started again.

What is drawn by lot can be had again: ``VCLUSTER_SEED`` names the seed that a
failure tells.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as ka
from testtools import content

from heat_vcluster import context, deploy
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.engine import base as engine
from tests.acceptance import through_service, world
from tests.functional import documents

SEED = int(os.environ.get('VCLUSTER_SEED') or random.randrange(10**6))
#: How often it dies in each build: at ten moments.
DEATHS = (5, 5)
#: A server comes, one goes, and one gets another volume while it runs.
BEFORE, AFTER = (
    {
        'name': 'life',
        'instances': [
            *(
                {'name': name, 'type': 'volume', 'spec': {'size': 1}}
                for name in volumes
            ),
            documents.server('db', flavor='tiny', volumes=volumes),
            documents.server('web', count=count, flavor='tiny'),
            *others,
        ],
        'groups': [documents.group('anti-affinity', 'web', scope='rack')],
    }
    for volumes, count, others in (
        (['data'], 2, [documents.server('extra', flavor='tiny')]),
        (['data', 'more'], 3, []),
    )
)
#: Within so many seconds after an event: it is not the events that matter.
JITTER = 0.5


def counts(*versions: Any) -> list[int]:
    """Return how many events there are whenever a cluster is as asked for.

    By the same engine on the fake cloud: about as many as here.
    """
    ann = context.Context('alpha', 'ann')
    found = []
    with tempfile.TemporaryDirectory() as folder:
        service = deploy.assemble(
            FakeCloud(),
            database=f'sqlite:///{folder}/vcluster.sqlite',
            settings=engine.Settings(poll_interval=0.01),
        )
        cluster_id = service.create(ann, versions[0])['id']
        for document in versions:
            service.engine.join(cluster_id)
            service.update(ann, cluster_id, document=document)
            service.engine.join(cluster_id)
            shown = service.show(ann, cluster_id)
            assert shown['status'] == 'ACTIVE', shown['status_reason']
            found.append(len(service.events(ann, cluster_id)))
        service.stop()
    return found


@functools.cache
def count_of_build() -> int:
    (count,) = counts(documents.of_template(through_service.TEMPLATE))
    return count


class KilledCase(through_service.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Nobody else is to find the cloud without the service.
        self.addCleanup(self.world.start, 'vcluster')
        self.addDetail('seed', content.text_content(f'VCLUSTER_SEED={SEED}'))

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


class Killed(KilledCase):
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


class KilledInAChange(KilledCase):
    """Whenever it dies, what was begun is complete in the end."""

    def setUp(self) -> None:
        super().setUp()
        self.document = BEFORE

    def test_a_change_is_gone_on_with(self) -> None:
        draw = random.Random(SEED)
        self.begin()
        before = self.settle()
        assert before is not None
        old, new = counts(BEFORE, AFTER)
        moment = self.count_events() + draw.randrange(new - old)
        answer = self.request(
            'PUT', f'/vclusters/{self.cluster_id}', {'vcluster': AFTER}
        )
        self.assertEqual(202, answer.status_code, answer.text)
        self.die_after(moment, draw.uniform(0, JITTER))
        found = self.settle()
        assert found is not None
        self.assertEqual('ACTIVE', found['status'], found['status_reason'])
        self.assertIsNone(found['status_reason'])
        self.assert_changed(before['members'], found['members'])
        self.delete()
        self.assert_nothing_left()

    def assert_changed(self, before: Any, members: Any) -> None:
        stay = ('data', 'db', 'web-0', 'web-1')
        self.assertEqual({*stay, 'more', 'web-2'}, {*members})
        for name in stay:
            self.assertEqual(before[name]['id'], members[name]['id'], name)
        self.assert_built(members)
        for volume in ('data', 'more'):
            self.assert_attached(members, volume, 'db')
        webs = [m for name, m in members.items() if name.startswith('web')]
        self.assertEqual(3, len({self.world.rack_of(each) for each in webs}))
        made = self.world.everything() - self.before
        kinds = collections.Counter(thing.kind for thing in made)
        self.assertEqual(
            (4, 2, 2),
            tuple(kinds[k] for k in ('server', 'volume', 'attachment')),
        )
        self.assertEqual(4, kinds['allocation'])
