# SPDX-License-Identifier: Apache-2.0
"""The fake identity service: who has entrusted us with acting for him."""

from __future__ import annotations

from heat_vcluster import context as ctx
from heat_vcluster import exception
from heat_vcluster.cloud import base
from heat_vcluster.cloud.fake import faults as fake_faults
from heat_vcluster.cloud.fake.world import World


class Trusts(base.CloudOpener):
    """``has_trusts``: whether a trust is to be had at all."""

    world: World
    faults: fake_faults.Faults
    has_trusts: bool

    def entrust(self, context: ctx.Context) -> str | None:
        if not self.has_trusts:
            return None
        call = self._enter('entrust', context.project_id)
        with self.world.lock:
            trust_id = self.world.new_id()
            self.world.trusts[trust_id] = (context.project_id, context.user_id)
        self.faults.leave(call)
        return trust_id

    def trusted(
        self, project_id: str, user_id: str, trust_id: str
    ) -> ctx.Context:
        call = self._enter('trusted', project_id)
        with self.world.lock:
            is_good = self.world.trusts.get(trust_id) == (project_id, user_id)
        self.faults.leave(call)
        if not is_good:
            raise exception.TrustLost('The trust of the user is gone')
        return ctx.Context(project_id, user_id)

    def end_trust(self, trust_id: str) -> None:
        call = self._enter('end_trust', None)
        with self.world.lock:
            self.world.trusts.pop(trust_id, None)
        self.faults.leave(call)

    def _enter(self, name: str, project_id: str | None) -> fake_faults.Call:
        return self.faults.enter(name, project_id, frozenset(), {})
