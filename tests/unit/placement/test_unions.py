# SPDX-License-Identifier: Apache-2.0
"""Sets that merge."""

from __future__ import annotations

import testtools

from heat_vcluster.placement.numbers import unions


class UnionsTestCase(testtools.TestCase):
    def test_who_is_tied_through_others_is_in_one_set(self):
        tied = unions.Unions('abcdef')
        tied.join('ab')
        tied.join('dc')
        tied.join('bd')
        self.assertEqual(
            [['a', 'b', 'c', 'd'], ['e'], ['f']],
            tied.sets(),
        )
        self.assertEqual('a', tied.find('c'))

    def test_whoever_is_joined_is_known_from_then_on(self):
        tied = unions.Unions()
        tied.join([3, 1])
        tied.join([2])
        self.assertEqual([[3, 1], [2]], tied.sets())
