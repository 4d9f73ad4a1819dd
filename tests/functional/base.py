# SPDX-License-Identifier: Apache-2.0
"""A whole service on the fake cloud, and how a story looks at both."""

import collections

import fixtures

from heat_vcluster import context, deploy, exception, views
from heat_vcluster.cloud.fake import FakeCloud
from heat_vcluster.engine import base as engine_base
from heat_vcluster.engine import engine, removal
from tests import base
from tests.functional import rules, surroundings

ANN = context.Context('alpha', 'ann')
BOB = context.Context('beta', 'bob')

#: As the real ones, but a hundred times as fast. Not so what a machine in
#: need of breath could miss: nobody is to be taken for dead by that.
FAST = engine_base.Settings(
    threads=8,
    poll_interval=0.01,
    lease_seconds=30.0,
    removal_timeout=20.0,
    watch_interval=0.2,
    create_timeout=600.0,
)


class EngineTest(base.TestCase):
    """``cloud`` and ``service`` are fresh for each story."""

    settings = FAST

    def setUp(self):
        super().setUp()
        self.patch(removal, 'time', base.SleptTime())
        # A verb that returns before it has begun would tell of the past.
        self.patch(engine, 'BEGIN_SECONDS', self.patience)
        self.cloud = self.make_cloud()
        self.url = self.make_database()
        self.service = self.make_service()

    def make_cloud(self):
        return FakeCloud()

    def make_database(self):
        """Return the URL of an empty one."""
        folder = self.useFixture(fixtures.TempDir()).path
        return f'sqlite:///{folder}/vcluster.sqlite'

    def make_service(self, **options):
        service = deploy.assemble(
            self.cloud,
            database=self.url,
            **{'settings': self.settings, **options},
        )
        self.addCleanup(service.stop, 5.0)
        return service

    # Doing

    def end_before_the_answer(self):
        """From now on all is over that a verb begins when it returns."""
        begin = self.service.engine.begin

        def begin_and_end(cluster_id, context):
            begin(cluster_id, context)
            self.rest(cluster_id)

        self.patch(self.service.engine, 'begin', begin_and_end)

    def create(self, document, context=ANN, service=None, **options):
        view = (service or self.service).create(context, document, **options)
        return view['id']

    def build(self, document, **options):
        """Create and wait until it is settled; return the view."""
        return self.settle(self.create(document, **options))

    def delete(self, cluster_id, context=ANN):
        """Delete and wait; return the view if it is still there."""
        self.service.delete(context, cluster_id)

        def is_over():
            view = self.show(cluster_id, context)
            return view is None or view['status'] == 'ERROR'

        self.until(is_over, 'the end of the delete')
        return self.show(cluster_id, context)

    def delete_for_good(self, cluster_id):
        """Delete now that nothing is in the way, and with all patience."""
        self.cloud.faults.clear()
        self.service = self.make_service(settings=FAST)
        self.assertIsNone(self.delete(cluster_id))
        self.assert_nothing_left()

    # Waiting

    def settle(self, cluster_id, context=ANN, service=None):
        """Wait for the end of what is done; return the view, or None."""

        def settled():
            view = self.show(cluster_id, context, service)
            return view is None or views.is_settled(view)

        self.until(settled, 'the cluster to settle')
        return self.show(cluster_id, context, service)

    def rest(self, cluster_id, service=None):
        """Wait until nothing at all is done about the cluster any more.

        It looks settled a moment before its engine lets go of it.
        """
        engine = (service or self.service).engine
        engine.join(cluster_id, self.patience)
        self.assertEqual([], engine._background.threads(cluster_id))

    # Looking

    def show(self, cluster_id, context=ANN, service=None):
        """Return the view; None if there is no such cluster (any more)."""
        try:
            return (service or self.service).show(context, cluster_id)
        except exception.ClusterNotFound:
            return None

    def events(self, cluster_id, member=...):
        """Return the kinds of what happened, of one member if given."""
        return [
            event['kind']
            for event in self.service.events(ANN, cluster_id)
            if member in (..., event['member'])
        ]

    def calls(self, since=0):
        return collections.Counter(
            call.name for call in self.cloud.calls[since:]
        )

    def broken(self, document, cluster_id):
        around = surroundings.Surroundings(self.cloud, cluster_id, document)
        return rules.broken(
            document, self.cloud.places(cluster_id), self.cloud.domain, around
        )

    # What must hold

    def assert_built(self, document, view):
        """Everything is there, ready, and where the rules want it."""
        self.assertEqual('ACTIVE', view['status'], view['status_reason'])
        names = rules.members(document)
        self.assertEqual(names, list(view['members']))
        for name, member in view['members'].items():
            self.assertEqual('ACTIVE', member['status'], name)
            made = self.cloud.item(member['id'])
            self.assertEqual((name, 'ready'), (made.member, made.state))
            if member['type'] == 'server':
                # It knows where it is, by the names that its tenant sees.
                self.assertEqual(member['domains'], made.domains, name)
        self.assertEqual([], self.broken(document, view['id']))
        self.assertEqual({}, dict(self.cloud.world.holds))
        self.assert_secret(view)

    def assert_failed(self, view, code, *words):
        self.assertEqual('ERROR', view['status'])
        self.assertEqual(code, view['error_code'], view['status_reason'])
        for word in words:
            self.assertIn(word, view['status_reason'])
        self.assert_secret(view)

    def assert_nothing_left(self):
        self.assertEqual((), self.cloud.leftovers())

    def assert_secret(self, view):
        """No real name of a place is told to the tenant.

        But for what he wrote himself: a zone, say.
        """
        own = ('instances', 'groups', 'survive')
        ours = {key: view[key] for key in view if key not in own}
        events = self.service.events(ANN, view['id'])
        told = repr((ours, events)).replace("'", ' ')
        world = self.cloud.world
        domains = {
            domain
            for host in world.hosts.values()
            for domain in host.domains.values()
        }
        for name in (*world.hosts, *world.pools, *domains):
            self.assertNotIn(name, told)
