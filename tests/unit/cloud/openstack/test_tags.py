# SPDX-License-Identifier: Apache-2.0
import testtools

from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import tags

ID = '0ee4cb6c-3ad2-4a16-a1a2-aab4ef2be8a9'
LONG = 'm' * 63 + '-999'


class TagsTest(testtools.TestCase):
    OWNERS = (
        model.Owner(ID, 'net'),
        model.Owner(ID, LONG, 'nic-12'),
    )

    def test_marks_can_be_read_back(self):
        for owner in self.OWNERS:
            text = tags.description(owner)
            self.assertEqual(owner, tags.from_description(text))
            self.assertEqual(owner, tags.from_metadata(tags.metadata(owner)))

    def test_marks_are_as_short_as_the_services_want(self):
        owner = self.OWNERS[1]
        self.assertLessEqual(len(tags.description(owner)), 255)
        self.assertLessEqual(len(tags.cluster_tag(owner.cluster_id)), 60)
        for tag in tags.network_tags(owner):
            self.assertLessEqual(len(tag), 255)
            self.assertNotIn(',', tag)

    def test_what_others_wrote_is_not_ours(self):
        for text in (None, '', 'vcluster:', 'a b c', 'vcluster:1 a b c'):
            self.assertIsNone(tags.from_description(text))
        self.assertIsNone(tags.from_metadata({'vcluster_id': ID}))
