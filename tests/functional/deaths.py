# SPDX-License-Identifier: Apache-2.0
"""How an engine dies in a story, and who inherits its clusters."""

import contextlib
import dataclasses
import datetime
import threading

from heat_vcluster import db, exception, planner, service
from heat_vcluster.cloud.fake import CloudDeath
from heat_vcluster.engine import engine
from heat_vcluster.placement import joint
from tests.functional import base, documents, mortal

ENOUGH = 60
HOUR = datetime.timedelta(hours=1)


def later():
    """The time at which every lease of now has run out."""
    return datetime.datetime.now(datetime.UTC) + HOUR


def between():
    """The time of one who lives after now, and has died by ``later``."""
    return datetime.datetime.now(datetime.UTC) + HOUR / 2


class DeathCase(base.EngineTest):
    """``heir`` lives an hour later, on the same store as those that die."""

    # Nobody settles anything but by order: to the clock of the heir even
    # the living would look dead.
    settings = dataclasses.replace(base.FAST, watch_interval=3600.0)

    def setUp(self):
        super().setUp()
        self.heir = self.assemble(db.Store(self.url, clock=later))
        self.addCleanup(self.heir.stop, 5.0)
        self.silence_deaths()

    def silence_deaths(self):
        """Threads that die of a CloudDeath are what is asked for here."""
        before = threading.excepthook

        def hook(args):
            if args.exc_type is not CloudDeath:
                before(args)

        threading.excepthook = hook
        self.addCleanup(setattr, threading, 'excepthook', before)

    def assemble(self, store):
        chosen = planner.Planner(joint.JointSolver())
        return service.Service(
            store,
            self.cloud,
            chosen,
            engine.Engine(
                store, self.cloud, chosen, service.load_stored, self.settings
            ),
            self.settings,
        )

    def life(self, **options):
        """Begin a process that the fake cloud can kill."""
        store = mortal.MortalStore(self.url, self.cloud.faults, **options)
        return store, self.assemble(store)

    def bury(self, store, dead):
        """Make sure that nothing of a dead process moves any more."""
        store.bury()
        dead.engine._stopping.set()
        for working in list(dead.engine._operations.values()):
            working.cancel(exception.Cancelled('dead'))
        self.rest(self.cluster, dead)
        dead.engine._runner.stop()
        self.cloud.faults.revive()

    def die(self, act, number, at='before', name=None, **life):
        """Let ``act(service)`` meet its death; tell whether it did."""
        store, doomed = self.life(**life)
        self.cloud.faults.crash_at(number, name, at=at)
        with contextlib.suppress(CloudDeath):
            act(doomed)
        self.until(
            lambda: (
                self.cloud.faults.is_dead
                or not doomed.engine._background.threads()
            ),
            'death, or the end of the work',
        )
        has_died = self.cloud.faults.is_dead
        self.bury(store, doomed)
        return has_died

    def create_and_die(self, number, **how):
        """Die at a call of a create; its number names the cluster, too."""
        self.cluster = f'00000000-0000-0000-0000-{number:012}'

        def act(doomed):
            doomed.create(base.ANN, documents.SMALL, cluster_id=self.cluster)

        return self.die(act, number, **how)

    def settle_by_heir(self):
        self.heir.engine.attend()
        self.rest(self.cluster, self.heir)
        return self.show(self.cluster)

    def delete_by_heir(self):
        self.heir.delete(base.ANN, self.cluster)
        self.assertIsNone(self.settle(self.cluster, service=self.heir))
        self.assert_nothing_left()
