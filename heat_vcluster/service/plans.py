# SPDX-License-Identifier: Apache-2.0
"""Plans: decided, perhaps held, not built."""

from __future__ import annotations

import uuid
from typing import Any

from heat_vcluster import arguments, exception, states, views
from heat_vcluster import context as ctx
from heat_vcluster.engine import decision
from heat_vcluster.service import desk
from heat_vcluster.spec import model as spec

View = views.View
ClusterStatus = states.ClusterStatus


class Plans(desk.Desk):
    """Where everything would go, and room that is held for it."""

    def plan(
        self,
        context: ctx.Context,
        document: Any,
        *,
        hold_seconds: float | None = None,
        plan_id: str | None = None,
    ) -> View:
        """Decide where everything would go; build nothing.

        With ``hold_seconds`` the room is held that long, under a ``plan_id``
        of the caller's choice if need be.
        """
        wanted = self._load_allowed(document)
        arguments.check(id=plan_id, hold_seconds=hold_seconds)
        try:
            if hold_seconds is None:
                return self._decide(context, wanted)
            return self._hold(context, wanted, hold_seconds, plan_id)
        except exception.NoValidPlacement as refusal:
            return views.show_refusal(refusal)

    def _decide(self, context: ctx.Context, wanted: spec.GroupSpec) -> View:
        outside = self._opener.open(context)
        found = outside.resolve(wanted)
        made = decision.decide(
            outside,
            self._planner,
            wanted,
            found.demands,
            seed=context.project_id,
            used=self._used(context, outside),
            choices=found.choices,
        )
        return views.show_plan(made.plan, made.snapshot, wanted.survive)

    def _hold(
        self,
        context: ctx.Context,
        wanted: spec.GroupSpec,
        seconds: float,
        plan_id: str | None,
    ) -> View:
        if seconds > self._quota.max_hold_seconds:
            raise exception.InvalidRequest(
                [
                    exception.Fault(
                        'hold_seconds',
                        f'it may be {self._quota.max_hold_seconds} at most',
                    )
                ]
            )
        self.engine.check_open()
        plan = self._store.create_cluster(
            id=plan_id or str(uuid.uuid4()),
            project_id=context.project_id,
            user_id=context.user_id,
            document=wanted.document,
            members=desk.new_members(wanted),
            name=wanted.name,
            expires_at=desk.from_now(seconds),
            request_id=context.request_id,
            limits=self._limits(context),
        )
        if plan.status is ClusterStatus.PLANNING:
            self.engine.watch()
            self.engine.hold(plan.id, context)
        return self.show_plan(context, plan.id)

    def show_plan(self, context: ctx.Context, plan_id: str) -> View:
        self.engine.watch()
        plan = self._store.get_plan(plan_id, context.project_id)
        return views.show_held_plan(
            plan, self._store.get_members(plan_id), desk.survive(plan)
        )

    def release_plan(self, context: ctx.Context, plan_id: str) -> None:
        """Give back what is held; the room is free for all on return."""
        self._store.drop_plan(plan_id, context.project_id)
        self.engine.watch()
        self.engine.release(plan_id)
