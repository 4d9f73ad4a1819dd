# SPDX-License-Identifier: Apache-2.0
"""Members whose tags somebody took off go with a change all the same."""

from heat_vcluster import exception
from heat_vcluster.cloud import model
from tests.functional import changes, documents

Kind = model.Kind
HIDDEN = model.OF_MEMBERS - {Kind.SERVER_GROUP}


class UnlistedTest(changes.ChangeCase):
    def hide(self, *members):
        """Take the tags off all that there is of the members."""
        for item in self.things():
            made = self.cloud.item(item)
            if made.owner is not None and made.owner.member in members:
                made.owner = None

    def made_of(self, *members):
        """Return the ids of all that there is of the members."""
        return {
            item.id
            for item in self.cloud.leftovers()
            if item.owner is not None and item.owner.member in members
        }

    def test_who_goes_out_of_the_definition_is_removed(self):
        view = self.build(changes.counted(3))
        there = self.made_of('m-0', 'm-1')
        self.hide('m-2')
        after = self.change(view['id'], changes.counted(2))
        self.assert_is(after, 'm-0', 'm-1')
        self.assertEqual(there, {*self.things()})

    def test_who_is_replaced_is_removed(self):
        view = self.build(documents.SMALL)
        gone = self.made_of('net', 'db', 'web')
        kept = self.made_of('data')
        self.hide('net', 'db', 'web')
        document = changes.replacing(
            changes.with_spec(
                documents.SMALL, 'net', subnets=[{'cidr': '10.61.0.0/24'}]
            )
        )
        after = self.change(view['id'], document)
        self.assert_is(after, *view['members'])
        self.assertEqual(set(), gone & {*self.things()})
        self.assertLessEqual(kept, {*self.things()})

    def test_what_refuses_to_go_is_told(self):
        view = self.build(changes.counted(2))
        self.hide('m-1')
        self.cloud.faults.refuse_delete(
            Kind.SERVER, error=exception.CloudForbidden('nova', 'no')
        )
        after = self.change(view['id'], changes.counted(1))
        self.assertEqual('vcluster.leftovers', after['error_code'])
        self.assertIn(
            view['members']['m-1']['id'],
            {each['id'] for each in after['leftovers']},
        )

    def test_who_was_to_come_is_removed_if_it_fails(self):
        document = documents.SMALL
        view = self.build(document)
        before = self.things()
        self.cloud.faults.ruin(Kind.SERVER, 'web~1')
        self.cloud.faults.before(
            'ensure_server', 'web~1', lambda call: self.hide('db~1', 'web~1')
        )
        wanted = changes.replacing(
            changes.with_spec(
                changes.with_spec(document, 'db', flavor='medium'),
                'web',
                flavor='medium',
            ),
            'flavor',
        )
        after = self.change(view['id'], wanted)
        self.assertIn('The update failed', after['status_reason'])
        self.assert_whole(after, *view['members'])
        self.assertEqual(before, self.things())
