# SPDX-License-Identifier: Apache-2.0
"""Plan, build, break and undo a cluster on the cloud in memory."""

from pathlib import Path

from heat_vcluster import FakeCloud, VCluster, VClusterError, load
from heat_vcluster.cloud import model

DOCUMENT = Path(__file__).with_name('pair.yaml')


def main() -> None:
    cloud = FakeCloud(racks=4, hosts_per_rack=3)
    spec = load(DOCUMENT)
    with VCluster(cloud) as vclusters:
        plan(vclusters, spec)
        build_and_undo(vclusters, spec)
        fail(vclusters, cloud, spec)
    print('Left in the cloud:', len(cloud.leftovers()))


def plan(vclusters, spec):
    """Where everything would go; nothing is held or built."""
    for name, member in vclusters.plan(spec)['members'].items():
        print(f'{name} would go to {member["domains"]["rack"]}')


def build_and_undo(vclusters, spec):
    cluster = vclusters.create(spec)
    for event in vclusters.follow(cluster['id']):
        print(event['member'] or 'cluster', event['kind'], event['message'])
    view = vclusters.wait(cluster['id'])
    for name, member in view['members'].items():
        print(f'{name}: {member["status"]} {" ".join(member["addresses"])}')
    vclusters.delete(cluster['id'])
    vclusters.wait_deleted(cluster['id'])


def fail(vclusters, cloud, spec):
    """One server comes up in error: all that was made is unmade."""
    cloud.faults.ruin(model.Kind.SERVER, 'db-1')
    cluster = vclusters.create(spec)
    try:
        vclusters.wait(cluster['id'])
    except VClusterError as error:
        print('It failed:', error)


if __name__ == '__main__':
    main()
