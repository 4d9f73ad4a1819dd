# SPDX-License-Identifier: Apache-2.0
"""A volume backend that stores nothing: cinder's records are all there is.

Cinder's own test driver would do, but it reports one fixed name and infinite
space, so that no volume type or filter could tell two backends apart.
"""

from __future__ import annotations

from typing import Any

from cinder import context
from cinder.volume import driver
from oslo_config import cfg

OPTIONS = (
    cfg.IntOpt(
        'devcloud_capacity_gb',
        default=10000,
        min=1,
        help='The size which this backend reports, in GiB.',
    ),
)


class RecordOnlyDriver(driver.VolumeDriver):
    """One backend with one pool, both named ``volume_backend_name``."""

    VERSION = '1.0'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)

    def check_for_setup_error(self) -> None:
        pass

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """Thick: a volume takes its whole size from the pool."""
        name = self.configuration.volume_backend_name
        total = self.configuration.devcloud_capacity_gb
        _, used = self.db.volume_data_get_for_host(
            context.get_admin_context(), self.host
        )
        pool = {
            'pool_name': name,
            'total_capacity_gb': total,
            'free_capacity_gb': total - used,
            'provisioned_capacity_gb': used,
            'reserved_percentage': 0,
            'max_over_subscription_ratio': '1.0',
            'thick_provisioning_support': True,
            'thin_provisioning_support': False,
            'multiattach': True,
            'QoS_support': False,
        }
        return {
            'volume_backend_name': name,
            'vendor_name': 'vcluster-devcloud',
            'driver_version': self.VERSION,
            'storage_protocol': 'none',
            'pools': [pool],
        }

    # Volumes and snapshots

    def create_volume(self, volume: Any) -> None:
        pass

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        pass

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        pass

    def clone_image(
        self,
        context: Any,
        volume: Any,
        image_location: Any,
        image_meta: Any,
        image_service: Any,
    ) -> tuple[dict[str, Any], bool]:
        """Nothing is copied; cinder then marks the volume bootable."""
        return {}, True

    def delete_volume(self, volume: Any) -> None:
        pass

    def extend_volume(self, volume: Any, new_size: int) -> None:
        pass

    def retype(
        self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any
    ) -> tuple[bool, None]:
        return True, None

    def create_snapshot(self, snapshot: Any) -> None:
        pass

    def delete_snapshot(self, snapshot: Any) -> None:
        pass

    def revert_to_snapshot(
        self, context: Any, volume: Any, snapshot: Any
    ) -> None:
        pass

    # Attachments

    def ensure_export(self, context: Any, volume: Any) -> None:
        pass

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        pass

    def remove_export(self, context: Any, volume: Any) -> None:
        pass

    def initialize_connection(
        self, volume: Any, connector: Any, **kwargs: Any
    ) -> dict[str, Any]:
        return {
            'driver_volume_type': 'fake',
            'data': {'volume_id': volume.id, 'access_mode': 'rw'},
        }

    def terminate_connection(
        self, volume: Any, connector: Any, **kwargs: Any
    ) -> None:
        pass
