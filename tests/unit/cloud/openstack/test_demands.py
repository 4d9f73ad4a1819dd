# SPDX-License-Identifier: Apache-2.0
import testtools

from heat_vcluster.cloud.openstack import demands

SMALL = {'vcpus': 2, 'ram': 2048, 'disk': 10, 'swap': 0}


def read(extra=None, image=None, boots_from_volume=False, **figures):
    flavor = {**SMALL, **figures, 'extra_specs': extra or {}}
    return demands.read(flavor, image, boots_from_volume)


class ReadTest(testtools.TestCase):
    """What nova's ResourceRequest makes of the same flavors."""

    def assert_resources(self, expected, *args, **kwargs):
        self.assertEqual(expected, dict(read(*args, **kwargs).resources))

    def test_plain_flavor(self):
        self.assert_resources({'VCPU': 2, 'MEMORY_MB': 2048, 'DISK_GB': 10})

    def test_root_disk_of_a_volume_is_not_the_hosts(self):
        self.assert_resources(
            {'VCPU': 2, 'MEMORY_MB': 2048}, boots_from_volume=True
        )

    def test_swap_and_ephemeral_disk_count_rounded_up(self):
        self.assert_resources(
            {'VCPU': 2, 'MEMORY_MB': 2048, 'DISK_GB': 7},
            boots_from_volume=True,
            swap=1025,
            **{'OS-FLV-EXT-DATA:ephemeral': 5},
        )

    def test_empty_swap_is_none(self):
        self.assert_resources(
            {'VCPU': 2, 'MEMORY_MB': 2048, 'DISK_GB': 10}, swap=''
        )

    def test_extra_specs_override_figures(self):
        self.assert_resources(
            {'CUSTOM_BAREMETAL': 1},
            {
                'resources:VCPU': '0',
                'resources:MEMORY_MB': '0',
                'resources:DISK_GB': '0',
                'resources:CUSTOM_BAREMETAL': '1',
            },
        )

    def test_dedicated_processors(self):
        expected = {'PCPU': 2, 'MEMORY_MB': 2048, 'DISK_GB': 10}
        self.assert_resources(expected, {'hw:cpu_policy': 'dedicated'})
        self.assert_resources(expected, None, {'hw_cpu_policy': 'dedicated'})
        self.assert_resources(
            {**expected, 'PCPU': 3},
            {
                'hw:cpu_policy': 'dedicated',
                'hw:emulator_threads_policy': 'isolate',
            },
        )

    def test_traits_of_flavor_and_image(self):
        found = read(
            {
                'trait:HW_CPU_X86_AVX': 'required',
                'trait:CUSTOM_SLOW': 'forbidden',
                'os:secure_boot': 'required',
            },
            {'trait:CUSTOM_GPU': 'required', 'hw_tpm_version': '2.0'},
        )
        self.assertEqual(
            (
                'COMPUTE_SECURITY_TPM_2_0',
                'COMPUTE_SECURITY_TPM_TIS',
                'COMPUTE_SECURITY_UEFI_SECURE_BOOT',
                'CUSTOM_GPU',
                'HW_CPU_X86_AVX',
            ),
            found.required,
        )
        self.assertEqual(('CUSTOM_SLOW',), found.forbidden)

    def test_what_cannot_be_held_is_told(self):
        for extra in (
            {'accel:device_profile': 'fpga'},
            {'pci_passthrough:alias': 'gpu:1'},
            {'resources1:VGPU': '1'},
            {'hw:cpu_policy': 'mixed'},
            {'hw:mem_encryption': 'true'},
        ):
            self.assertRaises(demands.Unknowable, read, extra)
        read({'hw:mem_encryption': 'False'})

    def test_query_is_the_one_nova_asks(self):
        signature = demands.Signature(
            (('MEMORY_MB', 512), ('VCPU', 1)), ('A',), ('B',)
        )
        self.assertEqual(
            {
                'resources': 'MEMORY_MB:512,VCPU:1',
                'required': 'A,!B',
                'root_required': '!COMPUTE_STATUS_DISABLED',
            },
            signature.query(),
        )
        self.assertNotIn('required', demands.Signature(()).query())
