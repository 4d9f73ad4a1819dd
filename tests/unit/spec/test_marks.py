# SPDX-License-Identifier: Apache-2.0
"""The keys by which the product marks its things are its own."""

from tests.unit.spec import base


class MarksTest(base.SpecTest):
    def test_metadata_must_not_have_the_products_own_keys(self):
        faults = dict(
            self.faults_of(
                {
                    'instances': [
                        base.server(
                            'a',
                            metadata={
                                'vcluster:rack': 'mine',
                                'vcluster_id': 'x',
                                'my_vcluster:rack': 'fine',
                                'rack': 'fine',
                            },
                        ),
                        base.volume('v', metadata={'VCLUSTER_member': 'b'}),
                    ]
                }
            )
        )
        self.assertEqual(
            {
                "instances[0].spec.metadata['vcluster:rack']",
                'instances[0].spec.metadata.vcluster_id',
                'instances[1].spec.metadata.VCLUSTER_member',
            },
            set(faults),
        )
        for message in faults.values():
            self.assertIn('set by the service', message)

    def test_there_is_room_left_for_them(self):
        metadata = {f'key-{number}': 'x' for number in range(101)}
        ((path, message),) = self.faults_of(
            {'instances': [base.server('a', metadata=metadata)]}
        )
        self.assertEqual('instances[0].spec.metadata', path)
        self.assertIn('at most 100', message)
