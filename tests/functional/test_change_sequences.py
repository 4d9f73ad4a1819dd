# SPDX-License-Identifier: Apache-2.0
"""Any changes one after the other, with whatever goes wrong on the way."""

import hypothesis
from hypothesis import strategies as st

from heat_vcluster import exception
from heat_vcluster.cloud.fake import FakeCloud
from tests.functional import changes, documents, numbered

FLAVORS = ('small', 'medium')
RULES = (
    documents.group('anti-affinity', 'm', scope='rack'),
    documents.group('anti-affinity', 'm', scope='host'),
    documents.group('spread', 'm', scope='rack', max_skew=1),
    documents.group('affinity', 'm', scope='zone'),
)


@st.composite
def definitions(draw):
    """Draw a document: some servers with or without volumes, and rules."""
    count = draw(st.integers(1, 4))
    is_tied = draw(st.booleans())
    spec = {
        'flavor': draw(st.sampled_from(FLAVORS)),
        'metadata': {'round': draw(st.sampled_from('abc'))},
    }
    instances = [documents.server('m', count=count, **spec)]
    if is_tied:
        size = draw(st.integers(1, 3))
        instances[0]['spec']['volumes'] = ['data-%index%']
        instances.append(
            {
                'name': 'data',
                'type': 'volume',
                'count': count,
                'spec': {'size': size},
            }
        )
    document = {
        'instances': instances,
        'groups': draw(
            st.lists(st.sampled_from(RULES), max_size=2, unique_by=id)
        ),
    }
    names = [group['name'] for group in document['groups']]
    hypothesis.assume(len(names) == len({*names}))
    policy = document['update_policy'] = {'replace_on': 'any'}
    if draw(st.booleans()):
        policy['batch_size'] = draw(st.integers(1, 2))
    return document


#: A document, the call that fails (0: none does) and whether late.
STEPS = st.lists(
    st.tuples(definitions(), st.integers(0, 60), st.booleans()),
    min_size=2,
    max_size=4,
)


class SequenceTest(changes.ChangeCase):
    def make_cloud(self):
        cloud = FakeCloud()
        cloud.faults = numbered.NumberedFaults()
        return cloud

    @hypothesis.settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(first=definitions(), steps=STEPS)
    def test_all_rules_hold_and_nothing_is_left(self, first, steps):
        self.cloud.faults.cancel()
        view = self.build(first)
        if view['status'] == 'ACTIVE':
            for document, number, late in steps:
                view = self.step(view, first, document, number, late)
                if view['error_code'] is None:
                    first = document
        self.cloud.faults.cancel()
        self.assertIsNone(self.delete(view['id']))
        self.assert_nothing_left()

    def step(self, before, old, document, number, late):
        things = self.things()
        if number:
            self.cloud.faults.at(
                number, numbered.raising(self.broken_call), late=late
            )
        view = self.change(before['id'], document)
        self.cloud.faults.cancel()
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assert_whole(view)
        if view['error_code'] is None:
            self.assert_obeys(document, view)
        else:
            self.assertEqual(before['members'], view['members'])
            self.assertEqual(before['groups'], view['groups'])
            now = self.things()
            for item in now.values():
                before = things.get(item.id)
                grown = getattr(item, 'size_gb', 0)
                if before and grown > getattr(before, 'size_gb', 0):
                    self.assertIn(f'{grown} GiB now', view['status_reason'])
                    item.size_gb = before.size_gb
            self.assertEqual(things, now)
        return view

    def broken_call(self):
        return exception.CloudError('fake', 'a disk is full')

    def assert_obeys(self, document, view):
        """What is there is as many as asked for, and by all the rules."""
        for instance in document['instances']:
            copies = [
                name
                for name in view['members']
                if name.rpartition('-')[0] == instance['name']
            ]
            self.assertEqual(instance['count'], len(copies))
        listed = self.listed(document, view)
        self.assertEqual([], self.broken_now(listed, view))

    def listed(self, document, view):
        """Return the document with the copies that there are by name."""
        groups = []
        for group in document['groups']:
            members = [
                name
                for name in view['members']
                if name.rpartition('-')[0] in group['members']
            ]
            groups.append({**group, 'members': members})
        return {
            'instances': [
                {**instance, 'name': name}
                for instance in document['instances']
                for name in view['members']
                if name.rpartition('-')[0] == instance['name']
            ],
            'groups': groups,
        }
