# SPDX-License-Identifier: Apache-2.0
import datetime
import email.utils
from unittest import mock

import testtools
from testtools import matchers

from heat_vcluster.cloud.openstack import pace


class PatienceTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        patch = mock.patch.object(pace.time, 'sleep')
        self.sleep = patch.start()
        self.addCleanup(patch.stop)

    def pauses(self):
        return [call.args[0] for call in self.sleep.call_args_list]

    def use_up(self, patience):
        while patience.wait():
            pass
        return self.pauses()

    def test_it_ends_before_its_time_is_over(self):
        pauses = self.use_up(pace.Patience(30))
        self.assertThat(sum(pauses), matchers.LessThan(30))
        # What was left was not enough for one more.
        self.assertThat(
            sum(pauses), matchers.GreaterThan(30 - pace.LONGEST_PAUSE)
        )

    def test_pauses_grow_to_a_bound(self):
        pauses = self.use_up(pace.Patience(300))
        for number, pause in enumerate(pauses):
            longest = min(pace.FIRST_PAUSE * 2**number, pace.LONGEST_PAUSE)
            self.assertThat(pause, matchers.GreaterThan(longest / 2 - 0.001))
            self.assertThat(pause, matchers.LessThan(longest + 0.001))

    def test_those_refused_together_come_back_apart(self):
        for _ in range(20):
            pace.Patience(30).wait(5)
        self.assertEqual(20, len(set(self.pauses())))
        self.assertThat(min(self.pauses()), matchers.GreaterThan(5))

    def test_none_waits_for_nothing(self):
        self.assertFalse(pace.Patience(0).wait())
        self.assertEqual([], self.pauses())


class RetryAfterTest(testtools.TestCase):
    def test_seconds(self):
        self.assertEqual(7.0, pace.retry_after('7'))

    def test_date(self):
        now = datetime.datetime.now(datetime.UTC)
        then = now + datetime.timedelta(hours=1)
        found = pace.retry_after(email.utils.format_datetime(then, True))
        self.assertThat(found, matchers.GreaterThan(3500))
        self.assertThat(found, matchers.LessThan(3601))

    def test_what_says_nothing(self):
        for text in (None, '', 'soon', '-3', 'Thu, 01 Jan 1970 00:00:00 GMT'):
            self.assertEqual(0.0, pace.retry_after(text), text)

    def test_date_of_an_unknown_zone(self):
        self.assertEqual(
            0.0, pace.retry_after('Thu, 01 Jan 1970 00:00:00 -0000')
        )
