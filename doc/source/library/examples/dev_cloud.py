# SPDX-License-Identifier: Apache-2.0
"""Build and undo a cluster on the development cloud, without Heat.

Run it with the cloud's own settings: eval "$(vcluster-devcloud env)"
"""

from pathlib import Path

import openstack

from heat_vcluster import VCluster, load

DOCUMENT = Path(__file__).with_name('pair.yaml')


def main() -> None:
    tenant = openstack.connect(cloud='devcloud-alpha')
    service = openstack.connect(cloud='devcloud-vcluster')
    with VCluster.openstack(
        tenant,
        service,
        levels={'zone': 'availability_zone', 'rack': 'aggregate:rack'},
        pinning='json_filter',
        pool_domains='rack:^[^@]+@(?P<domain>[^#]+)#',
    ) as vclusters:
        cluster = vclusters.create(load(DOCUMENT))
        try:
            show(vclusters, cluster['id'])
        finally:
            vclusters.delete(cluster['id'])
            vclusters.wait_deleted(cluster['id'], timeout=300)


def show(vclusters, cluster_id):
    for event in vclusters.follow(cluster_id):
        print(event['member'] or 'cluster', event['kind'], event['message'])
    view = vclusters.wait(cluster_id, timeout=300)
    for name, member in view['members'].items():
        where = ' '.join(member['domains'].values())
        print(f'{name}: {member["status"]} {member["id"]} {where}')


if __name__ == '__main__':
    main()
