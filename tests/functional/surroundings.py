# SPDX-License-Identifier: Apache-2.0
"""What a cluster's rules may be about beyond its own places.

Read from the inside of the fake cloud, with no line of the product's own
reading or checking.
"""

from heat_vcluster.cloud.fake import world as fake_world


class Surroundings:
    """The fake cloud around one cluster, as its document means it."""

    def __init__(self, cloud, cluster_id, document):
        self._world = cloud.world
        self._domain = cloud.domain
        self._cluster_id = cluster_id
        self._document = document
        self.scopes = ('host', *reversed(cloud.world.levels))

    def possible(self, members, scope):
        """Return the domains where one of them could be, were all empty."""
        found = set()
        for instance in map(self._instance, members):
            spec = instance['spec']
            if instance['type'] == 'server':
                found |= {
                    self._domain(host.name, scope)
                    for host in self._world.hosts.values()
                    if host.is_enabled and self._is_large_enough(host, spec)
                }
            else:
                kind = spec.get('volume_type')
                found |= {
                    self._domain(pool.name, scope)
                    for pool in self._world.pools.values()
                    if None in (kind, pool.types) or kind in pool.types
                }
        return found - {None}

    def _instance(self, member):
        instances = {i['name']: i for i in self._document['instances']}
        base, _, number = member.rpartition('-')
        if 'count' in instances.get(base, {}) and number.isdigit():
            return instances[base]
        return instances[member]

    def _is_large_enough(self, host, spec):
        (flavor,) = (
            flavor
            for flavor in self._world.flavors.values()
            if spec['flavor'] in (flavor.id, flavor.name)
        )
        wanted = {'VCPU': flavor.vcpus, 'MEMORY_MB': flavor.ram_mb}
        if 'boot_volume' not in spec:
            wanted['DISK_GB'] = flavor.disk_gb
        return all(host.total[name] >= n for name, n in wanted.items())

    def has_strangers(self, domain, scope):
        """Tell whether anything that is not of the cluster is in it."""
        busy = {
            place
            for place, taken in self._world.rivals.values()
            if any(taken.values())
        }
        busy |= {
            server.host
            for server in self._world.of(fake_world.Server)
            if server.host
            and getattr(server.owner, 'cluster_id', None) != self._cluster_id
        }
        return domain in {self._domain(host, scope) for host in busy}
