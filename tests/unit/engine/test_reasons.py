# SPDX-License-Identifier: Apache-2.0
"""What a tenant reads of a failure."""

import testtools

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.engine import reasons, removal


def left(kind, thing_id, reason):
    owner = model.Owner('c', 'm')
    return removal.Leftover(model.Thing(kind, thing_id, owner), reason)


class ReasonsTest(testtools.TestCase):
    def test_our_own_errors_are_told_in_their_words(self):
        error = exception.QuotaExceeded('nova', 'too many')
        self.assertEqual('nova: too many', reasons.words(error))
        self.assertEqual('vcluster.quota_exceeded', reasons.code(error))

    def test_member_that_failed_has_the_code_of_its_cause(self):
        error = exception.MemberFailed('m', 'x', code='vcluster.forbidden')
        self.assertEqual('vcluster.forbidden', reasons.code(error))

    def test_others_are_told_by_their_name_alone(self):
        error = OSError('/etc/secret')
        self.assertIn('OSError', reasons.words(error))
        self.assertNotIn('secret', reasons.words(error))
        self.assertEqual('vcluster.error', reasons.code(error))

    def test_late_members_are_named_up_to_a_few(self):
        self.assertEqual(
            'The time allowed has run out', str(reasons.timed_out(()))
        )
        self.assertTrue(
            str(reasons.timed_out({'b', 'a'})).endswith('member a, b')
        )
        many = {f'm{number}' for number in range(8)}
        self.assertTrue(
            str(reasons.timed_out(many)).endswith('m3, m4, 3 more')
        )

    def test_nothing_left_is_not_worth_a_word(self):
        self.assertEqual('', reasons.remains([]))

    def test_all_that_is_left_is_named_with_the_first_reason(self):
        said = reasons.remains(
            [
                left(model.Kind.SERVER, 's1', 'it hangs'),
                left(model.Kind.VOLUME, 'v1', 'in use'),
            ]
        )
        for word in ('2 left', 'server s1', 'volume v1', 'it hangs', 'again'):
            self.assertIn(word, said)

    def test_what_is_not_known_is_said_to_be_not_known(self):
        self.assertEqual(reasons.UNVERIFIED, reasons.remains(None))

    def test_holds_come_on_top(self):
        said = reasons.remains(None, 'placement: away')
        self.assertIn(reasons.UNVERIFIED, said)
        self.assertIn('placement: away', said)
