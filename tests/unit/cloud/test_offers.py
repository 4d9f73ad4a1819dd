# SPDX-License-Identifier: Apache-2.0
"""Which flavors a server might have instead of its own."""

from __future__ import annotations

import testtools

from heat_vcluster.cloud import offers


class InsteadTest(testtools.TestCase):
    def names(self, own, **offered):
        return [name for name, _ in offers.instead(own, offered.items())]

    def test_only_what_takes_no_more_of_anything(self):
        self.assertEqual(
            ['less', 'none'],
            self.names(
                {'VCPU': 2, 'DISK_GB': 10},
                same={'VCPU': 2, 'DISK_GB': 10},
                less={'VCPU': 1, 'DISK_GB': 10},
                none={'VCPU': 2},
                other={'VCPU': 1, 'DISK_GB': 11},
                device={'VCPU': 1, 'PGPU': 1},
            ),
        )
