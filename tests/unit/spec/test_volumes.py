# SPDX-License-Identifier: Apache-2.0
"""A volume is made from one source and used by no more than it can bear."""

from heat_vcluster.spec import model
from tests.unit.spec import base


class VolumeTest(base.SpecTest):
    def test_all_keys(self):
        [member] = base.load(
            base.volume(
                'v',
                size=20,
                volume_type='fast',
                image='linux',
                availability_zone='az1',
                metadata={'a': 'b'},
                multiattach=True,
            )
        ).members
        self.assertEqual(
            model.VolumeSpec(
                size=20,
                volume_type='fast',
                image='linux',
                availability_zone='az1',
                metadata={'a': 'b'},
                multiattach=True,
            ),
            member.spec,
        )

    def test_two_sources(self):
        self.assert_faults(
            {'instances[0].spec.snapshot_id': 'not from both'},
            base.volume('v', image='linux', snapshot_id='s'),
        )

    def test_boot_from_an_empty_volume(self):
        boots = base.server('a', image=None, boot_volume='v')
        self.assert_faults(
            {'instances[0].spec.boot_volume': "'v' is made empty"},
            boots,
            base.volume('v'),
        )
        for source in ({'image': 'linux'}, {'snapshot_id': 's'}):
            loaded = base.load(boots, base.volume('v', **source))
            self.assertEqual(
                model.Reference('v', True),
                loaded.member('a').spec.boot_volume,
            )

    def test_boot_from_an_existing_volume(self):
        [member] = base.load(
            base.server('a', image=None, boot_volume='old')
        ).members
        self.assertEqual(
            model.Reference('old', False), member.spec.boot_volume
        )


class SharedVolumeTest(base.SpecTest):
    def test_two_servers(self):
        self.assert_faults(
            {
                'instances[1].spec.volumes[0]': "'a' and 'b' both use 'v'; a "
                "volume belongs to one server, unless it says 'multiattach: "
                "true'",
            },
            base.server('a', volumes=['v']),
            base.server('b', volumes=['v']),
            base.volume('v'),
        )

    def test_two_servers_with_multiattach(self):
        base.load(
            base.server('a', volumes=['v']),
            base.server('b', volumes=['v']),
            base.volume('v', multiattach=True),
        )

    def test_all_copies(self):
        self.assert_faults(
            {
                'instances[0].spec.volumes[0]': "every copy of 'a' uses 'v'",
            },
            base.server('a', count=3, volumes=['v']),
            base.volume('v'),
        )
        [(_, message)] = self.faults_of(
            base.document(
                base.server('a', count=3, volumes=['v']), base.volume('v')
            )
        )
        self.assertIn("count the volume and name 'v-%index%'", message)

    def test_a_volume_each(self):
        loaded = base.load(
            base.server('a', count=3, volumes=['v-%index%']),
            base.volume('v', count=3),
        )
        self.assertEqual(
            ['v-0', 'v-1', 'v-2'],
            [m.spec.volumes[0].volume.name for m in loaded.of_type('server')],
        )

    def test_an_existing_volume_may_be_multiattach(self):
        base.load(
            base.server('a', volumes=['old']),
            base.server('b', volumes=['old']),
        )

    def test_twice_at_one_server(self):
        self.assert_faults(
            {
                'instances[0].spec.volumes[1]': "'a' attaches 'v' already",
                'instances[1].spec.volumes[0].volume': "'b' boots from 'r' "
                'already',
            },
            base.server('a', volumes=['v', 'v']),
            base.server(
                'b',
                image=None,
                boot_volume='r',
                volumes=[{'volume': 'r'}],
            ),
            base.volume('v', multiattach=True),
            base.volume('r', image='linux'),
        )

    def test_a_boot_volume_is_never_shared(self):
        self.assert_faults(
            {
                'instances[1].spec.boot_volume': 'belongs to one server',
                'instances[2].spec.volumes[0]': 'one of them boots from it',
                'instances[4].spec.boot_volume': 'belongs to one server',
            },
            base.server('a', image=None, boot_volume='v'),
            base.server('b', image=None, boot_volume='v'),
            base.server('c', volumes=['v']),
            base.server('d', image=None, boot_volume='old'),
            base.server('e', image=None, boot_volume='old'),
            base.volume('v', image='linux', multiattach=True),
        )
