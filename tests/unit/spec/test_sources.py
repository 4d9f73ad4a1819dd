# SPDX-License-Identifier: Apache-2.0
"""Single members are made of something of their own."""

from heat_vcluster.spec import loader, restoring
from tests.unit.spec import base

DOCUMENT = {
    'instances': [
        {
            'name': 'web',
            'type': 'server',
            'count': 2,
            'spec': {'image': 'cirros', 'flavor': 'tiny'},
        },
        {'name': 'data', 'type': 'volume', 'spec': {'size': 1}},
        {
            'name': 'root',
            'type': 'volume',
            'spec': {'size': 1, 'image': 'cirros'},
        },
        {
            'name': 'db',
            'type': 'server',
            'spec': {'flavor': 'tiny', 'boot_volume': 'root'},
        },
        {'name': 'net', 'type': 'network', 'spec': {}},
    ],
}


def load(document):
    return loader.load(document, policies=base.POLICIES)


class SourcesTest(base.SpecTest):
    def sourced(self, **sources):
        names = {name.replace('_', '-'): s for name, s in sources.items()}
        return {**DOCUMENT, 'sources': names}

    def test_each_takes_the_place_of_what_its_instance_says(self):
        found = load(
            self.sourced(
                web_1={'image': 'other'},
                root={'snapshot_id': 'one', 'again': 2},
            )
        )
        self.assertEqual('cirros', found.member('web-0').spec.image)
        self.assertEqual('other', found.member('web-1').spec.image)
        root = found.member('root').spec
        self.assertEqual(
            (None, 'one', 2), (root.image, root.snapshot_id, root.again)
        )

    def test_it_is_kept_in_the_canonical_document(self):
        found = load(self.sourced(web_1={'image': 'other'}))
        self.assertEqual(found, load(found.document))

    def test_a_copy_that_is_not_there_may_have_one(self):
        load(self.sourced(web_7={'image': 'other'}))

    def test_what_does_not_fit_is_told(self):
        for name, source, words in (
            ('wev', {'image': 'x'}, "there is no member 'wev'"),
            ('data', {'image': 'x'}, "takes 'snapshot_id' alone"),
            ('web-0', {'snapshot_id': 'x'}, "takes 'image' alone"),
            ('web-0', {}, "takes 'image' alone"),
            ('net', {'image': 'x'}, 'takes no source'),
            ('db', {'image': 'x'}, 'boots from a volume'),
        ):
            found = self.faults_of({**DOCUMENT, 'sources': {name: source}})
            self.assertEqual([f'sources.{name}'], [path for path, _ in found])
            self.assertIn(words, found[0][1])


class RestoringTest(base.SpecTest):
    def test_copies_have_the_numbers_that_they_had(self):
        before = load(DOCUMENT).document
        found = restoring.document(before, {'web-0': {'image': 'a'}})
        self.assertEqual([0, 1], found['instances'][0]['indexes'])
        self.assertNotIn('indexes', found['instances'][1])

    def test_what_is_made_of_it_already_is_made_again(self):
        before = load(DOCUMENT).document
        wanted = restoring.document(
            before, {'web-0': {'image': 'a'}, 'data': {'snapshot_id': 'b'}}
        )
        first = restoring.anew(before, wanted)
        policy = {'replace_on': 'any'}
        self.assertEqual({**wanted, 'update_policy': policy}, first)
        second = restoring.anew(first, wanted)
        third = restoring.anew(second, wanted)
        self.assertEqual(
            {'image': 'a', 'again': 1}, second['sources']['web-0']
        )
        self.assertEqual(
            {'snapshot_id': 'b', 'again': 2}, third['sources']['data']
        )
