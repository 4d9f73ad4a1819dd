# SPDX-License-Identifier: Apache-2.0
"""How a story changes a running cluster, and what must hold then."""

import copy

from heat_vcluster.cloud.fake import world
from heat_vcluster.spec import incarnations
from tests.functional import base, documents, rules, surroundings


def counted(count, *groups, **spec):
    """Return a document of so many servers ``m-N`` under some groups."""
    return documents.servers(count, *groups, **spec)


def with_spec(document, name, **changes):
    """Return a document in which an instance's spec has other values."""
    changed = copy.deepcopy(document)
    (entry,) = (i for i in changed['instances'] if i['name'] == name)
    entry['spec'].update(changes)
    return changed


def replacing(document, *properties):
    """Return a document that lets members be replaced for these, or any."""
    policy = document.get('update_policy') or {}
    policy = {**policy, 'replace_on': [*properties] or 'any'}
    return {**document, 'update_policy': policy}


class ChangeCase(base.EngineTest):
    def change(self, cluster_id, document, **options):
        """Update, and wait until it is over; return the view."""
        self.service.update(base.ANN, cluster_id, document=document, **options)
        view = self.settle(cluster_id)
        self.rest(cluster_id)
        return view

    def ids(self, view):
        return {name: m['id'] for name, m in view['members'].items()}

    def places(self, view):
        """Return where the members really are, by the tenant's names."""
        items = {
            name: self.cloud.item(member['id'])
            for name, member in view['members'].items()
        }
        return {
            name: item.host if isinstance(item, world.Server) else item.pool
            for name, item in items.items()
            if isinstance(item, world.Server | world.Volume)
        }

    def things(self):
        """Return all that tenants have in the cloud, as it is."""
        return {
            item.id: copy.deepcopy(item)
            for item in self.cloud.world.items.values()
            if not item.is_preset
        }

    def written_out(self, view):
        """Return the document as it is, each copy an instance of its own."""
        return {'instances': view['instances'], 'groups': view['groups']}

    def assert_is(self, view, *names):
        """It is whole: exactly these members, and nothing else is left."""
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        self.assertIsNone(view['status_reason'])
        self.assert_whole(view, *names)

    def assert_whole(self, view, *names):
        if names:
            self.assertEqual({*names}, {*view['members']})
        for name, member in view['members'].items():
            self.assertEqual('ACTIVE', member['status'], name)
            made = self.cloud.item(member['id'])
            self.assertEqual('ready', made.state)
            self.assertEqual(name, incarnations.shown(made.member))
        self.assertEqual({}, dict(self.cloud.world.holds))
        self.assert_no_strangers(view)
        self.assert_secret(view)

    def assert_no_strangers(self, view):
        """Whatever bears the cluster's tag belongs to one of its members."""
        rows = self.service._store.get_members(view['id'])
        self.assertEqual([None] * len(rows), [row.role for row in rows])
        owners, rules_held = set(), set()
        for item in self.cloud.world.items.values():
            if item.owner is not None and item.owner.cluster_id == view['id']:
                is_group = isinstance(item, world.ServerGroup)
                (rules_held if is_group else owners).add(item.owner.member)
        self.assertEqual({row.name for row in rows}, owners)
        self.assertLessEqual(rules_held, {g['name'] for g in view['groups']})

    def broken_now(self, document, view):
        """Return what the rules of a document say of the places now."""
        around = surroundings.Surroundings(self.cloud, view['id'], document)
        return rules.broken(
            document, self.places(view), self.cloud.domain, around
        )
