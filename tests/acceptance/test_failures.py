# SPDX-License-Identifier: Apache-2.0
"""What fails, fails with a clear word, at once, and leaves nothing."""

from __future__ import annotations

from tests.acceptance import base, world


class Refusals(base.AcceptanceTestCase):
    """What can be known before anything is built."""

    def assert_refused(self, said: base.Said, *words: str) -> None:
        """The stack failed once, for the reason given, and built nothing."""
        self.assertNotEqual(0, said.code, said.text)
        self.assertEqual('CREATE_FAILED', self.stack_status())
        reason = self.reason()
        for word in words:
            self.assertIn(word, reason)
        self.assertEqual(1, self.attempts())
        self.assert_nothing_left()

    def test_impossible_rules(self) -> None:
        """Five apart by rack, where there are four racks."""
        template = self.write_template(
            [base.server('node', count=5)],
            [base.group('apart', 'anti-affinity', 'rack', ['node'])],
        )
        said = self.create_stack(template)
        self.assert_refused(said, 'No placement', 'apart')

    def test_rules_that_contradict_each_other(self) -> None:
        template = self.write_template(
            [base.server('node', count=2)],
            [
                base.group('close', 'affinity', 'host', ['node']),
                base.group('apart', 'anti-affinity', 'host', ['node']),
            ],
        )
        said = self.create_stack(template)
        self.assert_refused(said, 'No placement', 'close', 'apart')

    def test_not_enough_room(self) -> None:
        """Three of 8 VCPUs, where two hosts have room for one each."""
        self.leave_free({'r1h1': 10, 'r2h1': 9})
        template = self.write_template([base.server('big', 'c8', count=3)])
        said = self.create_stack(template)
        self.assert_refused(said, 'No placement')

    def test_unknown_flavor_and_image(self) -> None:
        """Both are told at once, each with its place in the document."""
        template = self.write_template(
            [base.server('node', 'no-such-flavor', image='no-such-image')]
        )
        said = self.create_stack(template)
        self.assert_refused(
            said,
            'instances[0].spec.flavor',
            'no-such-flavor',
            'instances[0].spec.image',
            'no-such-image',
        )

    def test_volume_quota_cannot_suffice(self) -> None:
        self.lower_volume_quota(2)
        template = self.write_template([base.volume('data', count=4)])
        said = self.create_stack(template)
        self.assert_refused(said, 'quota')

    def lower_volume_quota(self, volumes: int) -> None:
        project = self.alpha.current_project_id
        before = self.world.volume_quota(project)
        self.addCleanup(self.world.set_volume_quota, project, before)
        self.world.set_volume_quota(project, volumes)

    def test_bad_document_is_refused_before_there_is_a_stack(self) -> None:
        template = self.write_template(
            [
                {'name': 'web', 'type': 'sever', 'spec': {}},
                base.server('db', volumes=['dta']) | {'depends_on': ['nil']},
                base.volume('data', size=-1),
            ],
            [
                base.group('apart', 'anti-affinty', 'rack', ['db']),
                base.group('close', 'affinity', 'rack', ['db', 'dat']),
            ],
        )
        said = self.create_stack(template)
        self.assertNotEqual(0, said.code)
        for fault in ('sever', 'nil', '-1', 'anti-affinty', "'dat'"):
            self.assertIn(fault, said.text)
        self.assertIsNone(self.stack_status())


class Interruptions(base.AcceptanceTestCase):
    """A build that is broken off in the middle."""

    def begin(self) -> None:
        """Create a stack; return once some of its servers are there."""
        template = self.write_template(
            [
                base.network('net'),
                base.volume('data', count=2),
                base.server(
                    'node',
                    count=6,
                    networks=['net'],
                ),
                base.server(
                    'store',
                    count=2,
                    networks=['net'],
                    volumes=['data-%index%'],
                ),
            ],
            [base.group('even', 'spread', 'rack', ['node'], max_per_domain=2)],
        )
        said = self.create_stack(template, wait=False)
        self.assertEqual(0, said.code, said.text)
        world.until(
            lambda: len(list(self.alpha.compute.servers())) >= 2,
            'the first servers are being built',
        )
        self.assertEqual('CREATE_IN_PROGRESS', self.stack_status())

    def test_delete_during_create(self) -> None:
        self.begin()
        self.delete_stack()
        self.assert_nothing_left()

    def test_engine_restarted_during_create_then_delete(self) -> None:
        self.begin()
        self.world.driver('restart', 'heat')
        self.delete_stack()
        self.assert_nothing_left()

    def test_engine_killed_during_create_then_delete(self) -> None:
        self.begin()
        self.world.kill('heat')
        self.world.driver('up')
        self.delete_stack()
        self.assert_nothing_left()
