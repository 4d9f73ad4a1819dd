# SPDX-License-Identifier: Apache-2.0
"""What others get wrong when a group changes: skew, and counting the old."""

import threading

from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.spec import incarnations
from tests.functional import base, changes, documents

EVEN = documents.group('spread', 'm', scope='rack', max_skew=1)
APART = documents.group('anti-affinity', 'm', scope='rack')


class ScaleDownTest(changes.ChangeCase):
    """Elsewhere the last ones go, and 2-1-1 becomes 2-1-0."""

    def racks(self, view):
        found = {}
        for member in view['members'].values():
            rack = member['domains']['rack']
            found[rack] = found.get(rack, 0) + 1
        return sorted(found.values())

    def make_cloud(self):
        return FakeCloud(racks=3)

    def test_no_more_skew_after_a_scale_down(self):
        view = self.build(changes.counted(7, EVEN))
        self.assertEqual([2, 2, 3], self.racks(view))
        for count, racks in (
            (6, [2, 2, 2]),
            (4, [1, 1, 2]),
            (3, [1, 1, 1]),
            (1, [1]),
        ):
            before = self.ids(view)
            view = self.change(view['id'], changes.counted(count, EVEN))
            self.assert_is(view)
            self.assertEqual(count, len(view['members']))
            self.assertLessEqual(self.ids(view).items(), before.items())
            self.assertEqual(racks, self.racks(view))

    def test_of_2_1_1_one_of_the_two_goes_though_others_are_younger(self):
        view = self.build(changes.counted(4, EVEN))
        for name, host in zip(
            sorted(view['members']),
            ('r1h1', 'r1h2', 'r2h1', 'r3h1'),
            strict=True,
        ):
            self.cloud.migrate(view['members'][name]['id'], host)
        after = self.change(view['id'], changes.counted(3, EVEN))
        self.assert_is(after)
        self.assertEqual([1, 1, 1], sorted(self.racks_now(after)))
        gone = {*view['members']} - {*after['members']}
        self.assertLessEqual(gone, {'m-0', 'm-1'})

    def racks_now(self, view):
        places = self.places(view).values()
        racks = [self.cloud.domain(place, 'rack') for place in places]
        return [racks.count(rack) for rack in {*racks}]

    def test_a_wish_chooses_too(self):
        wish = documents.group('spread', 'm', scope='rack', max_per_domain=1)
        wish['spec']['weight'] = 5
        view = self.build(changes.counted(4, wish))
        after = self.change(view['id'], changes.counted(3, wish))
        self.assertEqual([1, 1, 1], self.racks(after))
        self.assertEqual(0, after['placement']['soft_cost'])

    def test_pairs_that_are_tied_go_together(self):
        def pairs(count):
            return {
                'instances': [
                    {
                        'name': 'data',
                        'type': 'volume',
                        'count': count,
                        'spec': {'size': 1},
                    },
                    documents.server(
                        'm', count=count, volumes=['data-%index%']
                    ),
                ],
                'groups': [
                    documents.group('anti-affinity', 'm', scope='rack')
                ],
            }

        view = self.build(pairs(3))
        after = self.change(view['id'], pairs(2), remove=['m-1'])
        self.assert_is(after, 'm-0', 'm-2', 'data-0', 'data-2')

    def test_copies_that_the_document_names_stay(self):
        first = documents.group('affinity', 'm-0', scope='rack')
        view = self.build(changes.counted(3, EVEN))
        after = self.change(view['id'], changes.counted(1, EVEN, first))
        self.assert_is(after, 'm-0')

    def test_one_that_is_lost_goes_first(self):
        view = self.build(changes.counted(3, EVEN))
        self.cloud.lose(view['members']['m-1']['id'])
        after = self.change(view['id'], changes.counted(2, EVEN))
        self.assert_is(after, 'm-0', 'm-2')


class ReplaceTest(changes.ChangeCase):
    """Elsewhere the old ones count, so that there is no place for the new."""

    def test_old_ones_do_not_count(self):
        """Four apart in four racks, all of them replaced at once."""
        view = self.build(changes.counted(4, APART))
        document = changes.replacing(
            changes.counted(4, APART, flavor='medium'), 'flavor'
        )
        after = self.change(view['id'], document)
        self.assert_is(after, 'm-0', 'm-1', 'm-2', 'm-3')
        self.assertFalse(
            {*self.ids(view).values()} & {*self.ids(after).values()}
        )
        self.assertEqual([], self.broken_now(document, after))

    def test_old_ones_do_not_make_the_new_ones_skew(self):
        """Of 2-1-1-1 the new ones are not 1-2-2-0 to fill it up."""
        view = self.build(changes.counted(5, EVEN))
        document = changes.replacing(
            changes.counted(5, EVEN, flavor='medium'), 'flavor'
        )
        after = self.change(view['id'], document)
        self.assert_is(after)
        counts = {}
        for member in after['members'].values():
            rack = member['domains']['rack']
            counts[rack] = counts.get(rack, 0) + 1
        self.assertEqual([1, 1, 1, 2], sorted(counts.values()))

    def test_room_for_both_is_needed_and_said(self):
        """Two hosts, each with room for one: none for the new ones."""
        cloud = self.cloud
        document = documents.servers(2, flavor='c8')
        view = self.build(document)
        for host in cloud.world.hosts:
            cloud.fill_host(host)
        before = self.things()
        document = changes.replacing(
            documents.servers(2, flavor='xlarge'), 'flavor'
        )
        after = self.change(view['id'], document)
        self.assertEqual('vcluster.no_valid_placement', after['error_code'])
        self.assertIn('beside the old ones', after['status_reason'])
        self.assertEqual(before, self.things())


class RollingTest(changes.ChangeCase):
    """A few at a time; the rules hold for those in service at every moment."""

    policy = {'batch_size': 1, 'min_in_service': 2}

    def document(self, **spec):
        return {
            'update_policy': {**self.policy, 'replace_on': ['flavor']},
            'instances': [
                {
                    'name': 'data',
                    'type': 'volume',
                    'count': 3,
                    'spec': {'size': 1},
                },
                documents.server(
                    'm', count=3, volumes=['data-%index%'], **spec
                ),
            ],
            'groups': [APART],
        }

    def watch(self):
        """Note at each call how many servers are without their volume."""
        without = []
        racks = []
        lock = threading.Lock()

        def look(call):
            with lock, self.cloud.world.lock:
                servers = [
                    item
                    for item in self.cloud.world.items.values()
                    if item.kind == 'server'
                ]
                serving = {
                    incarnations.shown(s.member): self.cloud.domain(
                        s.host, 'rack'
                    )
                    for s in servers
                    if 'attached' in s.links.values()
                }
                without.append(3 - len(serving))
                racks.append(len(serving) - len({*serving.values()}))

        for name in ('attach_volume', 'detach_volume', 'volume_state'):
            self.cloud.faults.after(name, None, look, times=None)
        return without, racks

    def test_so_many_are_always_in_service_and_within_the_rules(self):
        view = self.build(self.document())
        without, racks = self.watch()
        after = self.change(view['id'], self.document(flavor='medium'))
        self.cloud.faults.clear()
        self.assert_is(after)
        self.assertEqual(1, max(without))
        self.assertEqual(0, max(racks))
        for name in ('data-0', 'data-1', 'data-2'):
            self.assertEqual(view['members'][name], after['members'][name])

    def test_the_template_of_it_does_it_for_another_image(self):
        self.cloud.world.images[self.cloud.world.new_id()] = 'newer'
        view = self.build(documents.of_template('rolling.yaml'))
        without, racks = self.watch()
        after = self.change(
            view['id'], documents.of_template('rolling.yaml', image='newer')
        )
        self.cloud.faults.clear()
        self.assert_is(after)
        self.assertEqual((1, 0), (max(without), max(racks)))
        kept = {
            name
            for name, member in after['members'].items()
            if member == view['members'][name]
        }
        self.assertEqual({'net', 'data-0', 'data-1', 'data-2'}, kept)

    def test_without_a_policy_they_go_all_at_once(self):
        self.policy = {}
        view = self.build(self.document())
        without, _ = self.watch()
        self.change(view['id'], self.document(flavor='medium'))
        self.cloud.faults.clear()
        self.assertEqual(3, max(without))

    def test_a_failure_in_the_last_batch_leaves_the_old_ones(self):
        view = self.build(self.document())
        before = self.things()
        self.cloud.faults.ruin('server', 'm-2~1', reason='no disk')
        after = self.change(view['id'], self.document(flavor='medium'))
        self.assertIn('member m-2: no disk', after['status_reason'])
        self.assertEqual(before, self.things())
        self.assert_whole(after, *view['members'])

    def test_all_of_them_cannot_stay_in_service(self):
        self.policy = {'batch_size': 1, 'min_in_service': 3}
        view = self.build(self.document())
        after = self.change(view['id'], self.document(flavor='medium'))
        self.assertEqual('vcluster.invalid_document', after['error_code'])
        self.assertIn('min_in_service', after['status_reason'])
        self.assert_whole(after, *view['members'])

    def test_a_pause_ends_when_the_update_is_taken_back(self):
        self.policy = {'batch_size': 1, 'pause_seconds': 3600}
        view = self.build(self.document())
        before = self.things()
        self.service.update(
            base.ANN, view['id'], document=self.document(flavor='medium')
        )
        self.until(
            lambda: 'batch' in self.events(view['id']), 'the first batch'
        )
        self.service.update(base.ANN, view['id'], document=self.document())
        after = self.settle(view['id'])
        self.rest(view['id'])
        self.assertEqual('vcluster.cancelled', after['error_code'])
        self.assertEqual(before, self.things())
        self.assert_whole(after, *view['members'])
