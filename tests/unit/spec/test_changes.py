# SPDX-License-Identifier: Apache-2.0
"""Two documents against each other: names, numbers and fates of members."""

from heat_vcluster import exception
from heat_vcluster.spec import counts, difference, incarnations, loader
from tests.unit.spec import base

Fate = difference.Fate


def server(name='web', count=None, **spec):
    asked = {'image': 'i', 'flavor': 'f', **spec}
    entry = {'name': name, 'type': 'server', 'spec': asked}
    return entry | ({'count': count} if count else {})


def volume(name='data', count=None, **spec):
    entry = {'name': name, 'type': 'volume', 'spec': {'size': 1, **spec}}
    return entry | ({'count': count} if count else {})


def network(cidr='10.0.0.0/24'):
    return {
        'name': 'net',
        'type': 'network',
        'spec': {'subnets': [{'cidr': cidr}]},
    }


def load(*instances, groups=()):
    return loader.load({'instances': instances, 'groups': groups})


class IncarnationsTest(base.SpecTest):
    def test_what_is_made_anew_is_called_anew_and_shown_as_before(self):
        self.assertEqual('web-0~3', incarnations.name('web-0', 3))
        self.assertEqual('web-0', incarnations.shown('web-0~3'))
        self.assertEqual('web-0', incarnations.shown('web-0'))

    def test_texts_are_told_with_the_names_of_the_document(self):
        self.assertEqual(
            "member web-0: 'web-1', db stay, ~7 of 9~x remain",
            incarnations.tell(
                "member web-0~12: 'web-1~3', db~1 stay, ~7 of 9~x remain"
            ),
        )

    def test_no_document_can_have_such_a_name(self):
        self.assertRaises(exception.InvalidDocument, load, server('web~1'))

    def test_all_references_follow_a_new_name(self):
        wanted = load(
            network(),
            volume(),
            volume('root', image='i'),
            server('db', networks=['net'], volumes=['data']),
            {
                'name': 'web',
                'type': 'server',
                'depends_on': ['db'],
                'spec': {'flavor': 'f', 'boot_volume': 'root'},
            },
            groups=[
                {
                    'name': 'pair',
                    'spec': {'policy': 'affinity'},
                    'members': ['db', 'data'],
                }
            ],
        )
        names = {name: f'{name}~1' for name in ('net', 'data', 'root', 'db')}
        renamed = incarnations.rename(wanted, names)
        db, web = renamed.member('db~1'), renamed.member('web')
        self.assertEqual('net~1', db.spec.networks[0].network.name)
        self.assertEqual('data~1', db.spec.volumes[0].volume.name)
        self.assertEqual('root~1', web.spec.boot_volume.name)
        self.assertEqual({'db~1', 'root~1'}, web.depends_on)
        self.assertEqual((('db~1',), ('data~1',)), renamed.groups[0].units)

    def test_only_some_of_them_with_what_is_left_of_the_rules(self):
        wanted = load(
            server(count=3),
            server('db'),
            groups=[
                {'name': 'a', 'spec': {'policy': 'affinity'}, 'members': m}
                for m in (['web'],)
            ],
        )
        left = incarnations.only(wanted, ['web-0', 'web-2'])
        self.assertEqual(['web-0', 'web-2'], [m.name for m in left.members])
        self.assertEqual((('web-0',), ('web-2',)), left.groups[0].units)
        self.assertEqual((), incarnations.only(wanted, ['db']).groups)


class CountsTest(base.SpecTest):
    def document(self, count, *others, **more):
        return load({**server(count=count), **more}, *others).document

    def test_the_numbers_of_copies_may_be_said(self):
        wanted = load({**server(count=2), 'indexes': [1, 4]})
        self.assertEqual(['web-1', 'web-4'], [m.name for m in wanted.members])
        self.assertEqual(wanted, loader.load(wanted.document))

    def test_they_are_as_many_as_the_count(self):
        for entry in (
            {**server(count=2), 'indexes': [1]},
            {**server(), 'indexes': [1]},
        ):
            error = self.assertRaises(exception.InvalidDocument, load, entry)
            self.assertIn('instances[0].indexes', str(error))

    def test_who_comes_gets_the_lowest_numbers_that_are_free(self):
        running = self.document(2, indexes=[1, 3])
        grown = counts.grown(running, self.document(4))
        self.assertEqual([0, 1, 2, 3], self.numbers(grown))
        self.assertNotIn('indexes', grown['instances'][0])
        grown = counts.grown(running, self.document(3))
        self.assertEqual([0, 1, 3], self.numbers(grown))

    def numbers(self, document):
        return list(counts.indexes(document['instances'][0]))

    def test_with_fewer_all_that_run_are_still_in_it(self):
        running, wanted = self.document(3), self.document(1)
        self.assertEqual(
            [0, 1, 2], self.numbers(counts.grown(running, wanted))
        )
        (shrinking,) = counts.shrinking(running, wanted)
        self.assertEqual(2, shrinking.number)
        self.assertEqual((0, 1, 2), shrinking.free)
        left = counts.without(
            counts.grown(running, wanted), ['web-0', 'web-2']
        )
        self.assertEqual([1], self.numbers(left))

    def test_numbers_that_are_said_are_taken_as_they_are(self):
        running = self.document(3)
        wanted = self.document(1, indexes=[2])
        self.assertEqual([2], self.numbers(counts.grown(running, wanted)))
        self.assertEqual((), counts.shrinking(running, wanted))

    def test_copies_that_are_named_are_not_free_to_go(self):
        def document(count):
            return load(
                server(count=count),
                groups=[
                    {
                        'name': 'first',
                        'spec': {'policy': 'affinity'},
                        'members': ['web-0'],
                    }
                ],
            ).document

        (shrinking,) = counts.shrinking(document(3), document(2))
        self.assertEqual((1, 2), shrinking.free)

    def test_tied_instances_lose_the_same_numbers(self):
        def document(count, volumes):
            return load(
                volume(count=volumes),
                server(count=count, volumes=['data-%index%']),
            ).document

        (shrinking,) = counts.shrinking(document(3, 3), document(2, 2))
        self.assertEqual({'web', 'data'}, {*shrinking.bases})
        self.assertEqual({'web-1', 'data-1'}, {*shrinking.copies(1)})
        # Not alike: each loses its last ones.
        unlike = counts.shrinking(document(3, 4), document(2, 3))
        self.assertEqual(
            {('web',): (2,), ('data',): (3,)},
            {each.bases: each.free for each in unlike},
        )

    def test_only_copies_that_there_are_can_be_named_to_go(self):
        running, wanted = self.document(3), self.document(2)
        counts.check_removal(running, wanted, ['web-2'])
        for remove in (['web'], ['web-3'], ['db-0'], ['web-0', 'web-1']):
            self.assertRaises(
                exception.InvalidRequest,
                counts.check_removal,
                running,
                wanted,
                remove,
            )


class DifferenceTest(base.SpecTest):
    def fates(self, old, new):
        found = difference.of(load(*old), load(*new))
        return {v.member: (str(v.fate), v.properties) for v in found.verdicts}

    def test_each_fate(self):
        old = [server('a'), server('b'), server('c'), server('d')]
        new = [
            server('a'),
            server('b', metadata={'x': 'y'}, tags=['t']),
            server('c', image='j', metadata={'x': 'y'}),
            server('e'),
        ]
        self.assertEqual(
            {
                'a': ('kept', ()),
                'b': ('changed', ('metadata', 'tags')),
                'c': ('replaced', ('image', 'metadata')),
                'd': ('removed', ()),
                'e': ('added', ()),
            },
            self.fates(old, new),
        )

    def test_a_flavor_replaces_only_if_it_is_named(self):
        old, new = load(server()), {'instances': [server(flavor='g')]}
        for allowed, fate in (
            ([], 'changed'),
            ('any', 'changed'),
            (['image'], 'changed'),
            (['flavor'], 'replaced'),
        ):
            policy = {'replace_on': allowed}
            wanted = loader.load({**new, 'update_policy': policy})
            found = difference.of(old, wanted)
            (verdict,) = found.verdicts
            self.assertEqual(fate, verdict.fate)
            self.assertEqual(
                ('web',) if fate == 'changed' else (), found.resized
            )
            self.assertTrue(found.touches_placement)
            difference.check(old, wanted, found)

    def test_security_groups_are_changed_in_place_networks_are_not(self):
        old = [network(), server(networks=['net'])]
        found = self.fates(
            old, [network(), server(networks=['net'], security_groups=['g'])]
        )
        self.assertEqual(('changed', ('security_groups',)), found['web'])
        self.assertEqual(
            'replaced', self.fates(old, [network(), server()])['web'][0]
        )

    def test_a_volume_grows_in_place_and_never_shrinks(self):
        self.assertEqual(
            ('changed', ('size',)),
            self.fates([volume()], [volume(size=2)])['data'],
        )
        self.assertEqual(
            ('replaced', ('size (smaller)',)),
            self.fates([volume(size=2)], [volume()])['data'],
        )

    def test_what_is_built_on_something_new_is_replaced(self):
        found = self.fates(
            [network(), server(networks=['net'])],
            [network('10.1.0.0/24'), server(networks=['net'])],
        )
        self.assertEqual('replaced', found['web'][0])

    def test_a_new_volume_is_attached_in_place(self):
        found = self.fates(
            [volume(), server(volumes=['data'])],
            [volume(volume_type='fast'), server(volumes=['data'])],
        )
        self.assertEqual('replaced', found['data'][0])
        self.assertEqual(('changed', ('volumes',)), found['web'])

    def test_another_type_under_the_same_name_is_another_thing(self):
        self.assertEqual(
            'replaced', self.fates([server('x')], [volume('x')])['x'][0]
        )

    def refused(self, old, new, **policy):
        """Return path -> message of what is not replaced."""
        old = load(*old)
        new = loader.load({'instances': new, 'update_policy': policy})
        try:
            difference.check(old, new, difference.of(old, new))
        except exception.InvalidDocument as error:
            return {fault.path: fault.message for fault in error.faults}
        return {}

    def test_only_what_the_new_document_names_is_replaced(self):
        old = [server('a'), server('b', count=2), volume(size=2), volume('x')]
        new = [
            server('a', image='j', key_name='k', flavor='g'),
            server('b', count=2, image='j'),
            volume(),
            server('x'),
        ]
        self.assertEqual(
            [
                'instances[0].spec.image',
                'instances[1].spec.image',
                'instances[2].spec.size',
                'instances[3].type',
            ],
            [*self.refused(old, new)],
        )
        found = self.refused(old, new, replace_on=['flavor', 'size'])
        self.assertEqual(
            {
                'instances[0].spec.image': (
                    "'a' would have to be replaced (image, key_name cannot be "
                    'changed in place); to allow that, name image, key_name '
                    'in update_policy.replace_on'
                ),
                'instances[1].spec.image': (
                    "'b' would have to be replaced (image cannot be changed "
                    'in place); to allow that, name image in '
                    'update_policy.replace_on'
                ),
                'instances[3].type': (
                    "'x' would have to be replaced (type differs); to allow "
                    'that, name type in update_policy.replace_on'
                ),
            },
            found,
        )
        self.assertEqual({}, self.refused(old, new, replace_on='any'))

    def test_what_it_is_built_on_counts_by_what_refers_to_it(self):
        def both(cidr, kind):
            return [
                network(cidr),
                volume('root', image='i', volume_type=kind),
                {
                    'name': 'db',
                    'type': 'server',
                    'spec': {
                        'flavor': 'f',
                        'boot_volume': 'root',
                        'networks': ['net'],
                    },
                },
            ]

        old, new = both('10.0.0.0/24', 'slow'), both('10.1.0.0/24', 'fast')
        for allowed, refused in (
            (
                [],
                [
                    '[0].spec.subnets',
                    '[1].spec.volume_type',
                    '[2].spec.boot_volume',
                ],
            ),
            (['subnets', 'volume_type'], ['[2].spec.boot_volume']),
            (['subnets', 'volume_type', 'boot_volume'], ['[2].spec.networks']),
            (['subnets', 'volume_type', 'boot_volume', 'networks'], []),
        ):
            self.assertEqual(
                [f'instances{place}' for place in refused],
                [*self.refused(old, new, replace_on=allowed)],
            )

    def test_what_may_be_replaced_is_named_as_it_is(self):
        wanted = loader.load(
            {'instances': [server()], 'update_policy': {'replace_on': 'any'}}
        )
        self.assertEqual(
            {'replace_on': ['any']}, wanted.document['update_policy']
        )
        self.assertEqual(wanted, loader.load(wanted.document))
        for policy, path in (
            ({'replace_on': ['imag']}, 'update_policy.replace_on[0]'),
            ({'replace_on': 'image'}, 'update_policy.replace_on'),
            ({'min_in_service': 1}, 'update_policy.min_in_service'),
        ):
            error = self.assertRaises(
                exception.InvalidDocument,
                loader.load,
                {'instances': [server()], 'update_policy': policy},
            )
            self.assertEqual([path], [fault.path for fault in error.faults])

    def test_what_two_cannot_have_at_a_time_is_refused(self):
        def both(flavor):
            nic = {'network': 'net', 'fixed_ip': '10.0.0.9'}
            return [
                network(),
                volume('root', image='i'),
                server(flavor=flavor, networks=[nic]),
                {
                    'name': 'db',
                    'type': 'server',
                    'spec': {'flavor': flavor, 'boot_volume': 'root'},
                },
            ]

        self.assertEqual(
            [
                'instances[2].spec.networks[0].fixed_ip',
                'instances[3].spec.boot_volume',
            ],
            [*self.refused(both('f'), both('g'), replace_on=['flavor'])],
        )

    def test_rules_are_compared_by_what_they_say(self):
        def rule(scope='host', name='apart'):
            return {
                'name': name,
                'spec': {'policy': 'anti-affinity', 'scope': scope},
                'members': ['web'],
            }

        one = load(server(count=2), groups=[rule()])
        same = difference.of(one, load(server(count=2), groups=[rule()]))
        self.assertTrue(same.is_empty)
        self.assertFalse(same.touches_placement)
        for groups in ([], [rule('rack')], [rule(), rule(name='more')]):
            other = difference.of(one, load(server(count=2), groups=groups))
            self.assertTrue(other.has_other_rules)
            self.assertTrue(other.touches_placement)
