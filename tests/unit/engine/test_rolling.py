# SPDX-License-Identifier: Apache-2.0
"""Who is replaced in which batch, and which rules hold in between."""

from heat_vcluster import exception
from heat_vcluster.engine import rolling
from heat_vcluster.spec import incarnations, loader
from tests import base

APART = {
    'name': 'apart',
    'spec': {'policy': 'anti-affinity', 'scope': 'rack'},
    'members': ['web'],
}
WISH = {
    'name': 'near',
    'spec': {'policy': 'affinity', 'scope': 'rack', 'weight': 2},
    'members': ['web'],
}


def document(count, *groups, **policy):
    instances = [
        {
            'name': name,
            'type': 'server',
            'count': each,
            'spec': {'image': 'i', 'flavor': 'f'},
        }
        for name, each in (('web', count), ('db', 2))
    ]
    asked = {'instances': instances, 'groups': list(groups)}
    return asked | ({'update_policy': policy} if policy else {})


class RollingTest(base.TestCase):
    def specs(self, count, *groups, **policy):
        """Return the two requests: all but db-1 are replaced."""
        old = loader.load(document(count, *groups))
        new = loader.load(document(count, *groups, **policy))
        names = {
            member.name: incarnations.name(member.name, 1)
            for member in new.members
            if member.name != 'db-1'
        }
        return old, incarnations.rename(new, names)

    def batches(self, count, handing_over=(), **policy):
        old, new = self.specs(count, **policy)
        return rolling.batches(old, new, frozenset(handing_over))

    def test_without_a_policy_there_are_none(self):
        self.assertEqual((), self.batches(3))

    def test_each_instance_is_dealt_by_itself(self):
        self.assertEqual(
            (('web-0~1', 'web-1~1', 'db-0~1'), ('web-2~1',)),
            self.batches(3, batch_size=2),
        )

    def test_so_many_stay_in_service(self):
        found = self.batches(3, batch_size=3, min_in_service=1)
        self.assertEqual(
            (('web-0~1', 'web-1~1', 'db-0~1'), ('web-2~1',)), found
        )

    def test_none_may_be_out_of_service_that_has_to_be(self):
        policy = {'batch_size': 1, 'min_in_service': 2}
        # Nobody is, where nothing is handed over.
        self.assertEqual(3, len(self.batches(3, **policy)))
        error = self.assertRaises(
            exception.InvalidDocument, self.batches, 3, ['db-0'], **policy
        )
        self.assertIn("'db' has to be replaced", str(error))

    def resized(self, **policy):
        """Return the two requests: all servers stay, and get a flavor."""
        old = loader.load(document(3, APART))
        asked = document(3, APART, **policy)
        for instance in asked['instances']:
            instance['spec']['flavor'] = 'g'
        return old, loader.load(asked)

    def test_servers_that_are_resized_are_dealt_too(self):
        old, new = self.resized(batch_size=2)
        dealt = rolling.batches(old, new, frozenset())
        self.assertEqual(
            (('web-0', 'web-1', 'db-0', 'db-1'), ('web-2',)), dealt
        )
        # They have one place each, which the rule is for.
        whole = rolling.with_moments(old, new, dealt)
        self.assertEqual(['apart'], [group.name for group in whole.groups])

    def test_one_that_is_resized_is_out_of_service(self):
        old, new = self.resized(batch_size=1, min_in_service=2)
        error = self.assertRaises(
            exception.InvalidDocument,
            rolling.batches,
            old,
            new,
            frozenset(),
        )
        self.assertIn("'db' has to be replaced or resized", str(error))

    def test_strict_rules_hold_for_those_in_service_in_between(self):
        old, new = self.specs(3, APART, WISH, batch_size=1)
        dealt = rolling.batches(old, new, frozenset())
        whole = rolling.with_moments(old, new, dealt)
        self.assertEqual(
            {
                'apart': ['web-0~1', 'web-1~1', 'web-2~1'],
                'apart (after batch 1)': ['web-0~1', 'web-1', 'web-2'],
                'apart (after batch 2)': ['web-0~1', 'web-1~1', 'web-2'],
                'near': ['web-0~1', 'web-1~1', 'web-2~1'],
            },
            {group.name: [*group.members] for group in whole.groups},
        )

    def test_a_rule_that_is_new_does_not_hold_in_between(self):
        old, _ = self.specs(3)
        _, new = self.specs(3, APART, batch_size=1)
        dealt = rolling.batches(old, new, frozenset())
        whole = rolling.with_moments(old, new, dealt)
        self.assertEqual(['apart'], [group.name for group in whole.groups])
