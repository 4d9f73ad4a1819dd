# SPDX-License-Identifier: Apache-2.0
"""A stack is updated: its cluster changes where it is, or stays as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fixtures

from tests.acceptance import base, built, through_service
from tests.functional import documents

TEMPLATE = base.TEMPLATES / 'scaled.yaml'
#: More than a project may have of volumes, by cinder's default quota.
HUGE = 1_000_000


class Stacks(built.BuiltTestCase):
    def update(self, code: int = 0, **parameters: object) -> dict[str, Any]:
        """Update the stack; return its cluster's members."""
        given = [
            word
            for name, value in parameters.items()
            for word in ('--parameter', f'{name}={value}')
        ]
        said = self.openstack(
            *('stack', 'update', '--existing', '--wait'),
            *('-t', str(TEMPLATE), *given, self.name),
        )
        self.assertEqual(code, said.code, said.text)
        members = self.members()
        self.assert_built(members)
        return members

    def ids(self, members: Mapping[str, Any]) -> dict[str, str]:
        return {name: member['id'] for name, member in members.items()}

    def workers(self, members: Mapping[str, Any]) -> dict[str, str]:
        """Worker -> the rack it is really in."""
        names = [name for name in members if name.startswith('worker')]
        return self.racks(members, *names)

    def test_it_scales_up_and_down_and_takes_other_rules(self) -> None:
        first = self.create_active_stack(TEMPLATE, {'scope': 'rack'})
        more = self.update(workers=3)
        self.assertLessEqual(self.ids(first).items(), self.ids(more).items())
        self.assertEqual(3, len(self.workers(more)))
        self.assert_apart(self.workers(more))

        # Another rule, which holds already: nobody is touched.
        same = self.update(scope='host')
        self.assertEqual(self.ids(more), self.ids(same))

        fewer = self.update(workers=2, role='front')
        self.assertLessEqual(self.ids(fewer).items(), self.ids(more).items())
        self.assertEqual(2, len(self.workers(fewer)))
        for name in self.workers(fewer):
            server = self.alpha.compute.get_server(fewer[name]['id'])
            self.assertEqual('front', server.metadata['role'])

        # Another flavor is given to the same workers.
        other = self.update(flavor='medium', size=2)
        self.assertEqual(self.ids(fewer), self.ids(other))
        self.assert_attached(other, 'data', 'db')
        volume = self.alpha.block_storage.get_volume(other['data']['id'])
        self.assertEqual(2, volume.size)
        for name in self.workers(other):
            server = self.alpha.compute.get_server(other[name]['id'])
            self.assertEqual('medium', server.flavor['original_name'])

    def test_an_update_that_fails_leaves_exactly_the_old_cluster(
        self,
    ) -> None:
        first = self.create_active_stack(TEMPLATE, {'scope': 'rack'})
        before = self.world.everything()

        # More than there are racks: told before anything is touched.
        self.assertEqual(first, self.update(code=1, workers=5))
        self.assertIn('No placement', self.reason())
        self.assertEqual(before, self.world.everything())

        # The last step is refused, when the third worker is there, the
        # others have their new metadata and the quota is found too small.
        self.assertEqual(
            first, self.update(code=1, workers=3, role='front', size=HUGE)
        )
        self.assertIn('member data: ', self.reason())
        self.assertEqual(before, self.world.everything())
        for name in self.workers(first):
            server = self.alpha.compute.get_server(first[name]['id'])
            self.assertEqual('worker', server.metadata['role'])

        # And it can still become another one.
        more = self.update(workers=3, role='worker', size=1)
        self.assertLessEqual(self.ids(first).items(), self.ids(more).items())
        self.assertEqual(3, len(self.workers(more)))


class Shell(through_service.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.document = documents.of_template('scaled.yaml')
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)

    def write(self, **parameters: object) -> str:
        path = self.folder / 'scaled.json'
        document = documents.of_template('scaled.yaml', **parameters)
        path.write_text(json.dumps(document))
        return str(path)

    def test_a_dry_run_tells_and_an_update_does(self) -> None:
        self.begin()
        first = self.settle()
        assert first is not None
        path = self.write(workers=1, flavor='medium')
        update = ('vcluster', 'update', self.cluster_id, '--file', path)
        plan = self.ask(*update, '--dry-run', '--remove', 'worker-0')
        self.assertEqual(
            {
                'net': 'kept',
                'data': 'kept',
                'db': 'kept',
                'worker-1': 'changed',
                'worker-0': 'removed',
            },
            {each['member']: each['action'] for each in plan['changes']},
        )
        self.assertEqual(first, self.show())

        done = self.ask(*update, '--remove', 'worker-0', '--wait')
        self.assertEqual('ACTIVE', done['status'])
        found = self.show()
        assert found is not None
        self.assert_built(found['members'])
        self.assertEqual(
            {'net', 'data', 'db', 'worker-1'}, {*found['members']}
        )
        for name in ('net', 'data', 'db'):
            self.assertEqual(first['members'][name], found['members'][name])
