# SPDX-License-Identifier: Apache-2.0
"""The real cloud: an OpenStack, spoken to over its public interfaces."""

from heat_vcluster.cloud.openstack.cloud import OpenStackCloud
from heat_vcluster.cloud.openstack.opener import OpenStackOpener
from heat_vcluster.cloud.openstack.settings import Settings

__all__ = ('OpenStackCloud', 'OpenStackOpener', 'Settings')
