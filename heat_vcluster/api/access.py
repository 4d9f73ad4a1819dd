# SPDX-License-Identifier: Apache-2.0
"""Who asks, and whether he may."""

from __future__ import annotations

from typing import Any

import falcon
from oslo_config import cfg
from oslo_context import context as oslo_context

from heat_vcluster import context as ctx
from heat_vcluster import exception
from heat_vcluster.api import policies

#: What the middleware in front says: a keystoneauth session of the tenant's,
#: and that the token could not be judged.
SESSION = 'vcluster.session'
UNJUDGED = 'vcluster.unjudged'

LIST_ALL = 'clusters:list_all'
CHANGE = 'clusters:change'


class Access:
    """Turns a request into a Context, or refuses it."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._enforcer = policies.enforcer(conf)

    def admit(
        self, request: falcon.Request, rule: str, project_id: str
    ) -> ctx.Context:
        """Return in whose name the request acts on a project's things.

        Raises Unauthorized, ServiceUnavailable, NotAllowed; ProjectNotFound
        where the project is none of his: that it exists is not told.
        """
        asking = self._identify(request)
        if not self._may(asking, rule, project_id):
            if asking.project_id != project_id:
                raise exception.ProjectNotFound(project_id)
            raise exception.NotAllowed()
        is_outsider = asking.project_id != project_id
        return ctx.Context(
            project_id=project_id,
            user_id=asking.user_id or '',
            # A token of another project would find nothing in this one.
            auth=None if is_outsider else request.env.get(SESSION),
            request_id=asking.request_id,
            is_outsider=is_outsider,
        )

    def insist(
        self, request: falcon.Request, rule: str, project_id: str
    ) -> None:
        """Refuse one who was let in but may not do this beside."""
        if not self._may(self._identify(request), rule, project_id):
            raise exception.NotAllowed()

    def _identify(
        self, request: falcon.Request
    ) -> oslo_context.RequestContext:
        env = request.env
        if env.get(UNJUDGED):
            raise exception.ServiceUnavailable(
                'The identity service does not answer'
            )
        if env.get('HTTP_X_IDENTITY_STATUS') != 'Confirmed':
            raise exception.Unauthorized()
        return remember(env)

    def _may(
        self, asking: oslo_context.RequestContext, rule: str, project_id: str
    ) -> bool:
        return bool(
            self._enforcer.authorize(
                f'vcluster:{rule}',
                {'project_id': project_id},
                asking,
                do_raise=False,
            )
        )


def remember(env: dict[str, Any]) -> oslo_context.RequestContext:
    """Make this thread's log lines tell of this request from here on.

    The token is left out: what is not there cannot be logged.
    """
    return oslo_context.RequestContext.from_environ(env, auth_token=None)
