# SPDX-License-Identifier: Apache-2.0
"""Trusts in keystone: how we act for a tenant who is not there.

The reference to a trust is no secret: only the account that is its trustee,
ours, gets a token by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as ka
from keystoneauth1 import session as ks
from keystoneauth1.identity import base as identity
from oslo_config import cfg

from heat_vcluster import context as ctx
from heat_vcluster import exception
from heat_vcluster.cloud.openstack import account, errors, session

LOG = logging.getLogger(__name__)

TRUSTS = '/OS-TRUST/trusts'


class Trusts:
    """Between users and the account of ``ours``.

    ``ask`` makes the identity service as a session sees it.
    """

    def __init__(
        self,
        ours: ks.Session,
        trustee: account.Account,
        ask: Callable[[ks.Session], session.Service],
    ) -> None:
        self._ours = ours
        self._trustee = trustee
        self._ask = ask
        self._discovery: dict[str, Any] = {}

    def make(self, context: ctx.Context) -> str | None:
        """Have the user trust us with what his token is good for.

        None where these credentials may not: application credentials, and
        tokens that come from a trust themselves.
        """
        user = session.user_session(context.auth)
        if not isinstance(user.auth, identity.BaseIdentityPlugin):
            return None
        try:
            access = user.auth.get_access(user)
            ours = self._ours.get_user_id()
        except ka.ClientException as error:
            raise _no_token(error) from error
        if access.trust_scoped or access.project_id != context.project_id:
            return None
        wanted = {
            'trustor_user_id': access.user_id,
            'trustee_user_id': ours,
            'project_id': access.project_id,
            'roles': [{'id': role} for role in access.role_ids or ()],
            'impersonation': True,  # what is made belongs to the user
            'allow_redelegation': False,
        }
        asking = session.session_like(user, user.auth, self._discovery)
        try:
            body = self._ask(asking).post(TRUSTS, {'trust': wanted})
        except (exception.CloudForbidden, errors.NotFound) as error:
            LOG.info('No trust of user %s: %s', access.user_id, error)
            return None
        return str(body['trust']['id'])

    def context(
        self, project_id: str, user_id: str, trust_id: str
    ) -> ctx.Context:
        """Return the context of the user; it renews its token by itself.

        Raises TrustLost if the trust, its user or the project is gone.
        """
        theirs = self._session(trust_id)
        try:
            body = self._ask(theirs).get(f'{TRUSTS}/{trust_id}')
        except (exception.CloudForbidden, errors.NotFound) as error:
            self._check_ourselves()
            LOG.info('Trust %s is lost: %s', trust_id, error)
            raise _lost() from error
        trust = body['trust']
        found = (trust['project_id'], trust['trustor_user_id'])
        if found != (project_id, user_id):
            raise _lost()
        return ctx.Context(project_id, user_id, theirs)

    def end(self, trust_id: str) -> None:
        """End a trust, as the user who made it; never raises."""
        try:
            self._ask(self._session(trust_id)).delete(f'{TRUSTS}/{trust_id}')
        except exception.CloudError as error:
            LOG.info('Trust %s is not to be ended: %s', trust_id, error)

    def _session(self, trust_id: str) -> ks.Session:
        made = self._trustee.by_trust(trust_id)
        return session.session_like(self._ours, made, self._discovery)

    def _check_ourselves(self) -> None:
        """Raise CloudError unless we are who we say, trust or no trust.

        Keystone words a wrong password like a trust that is no more.
        """
        try:
            self._trustee.by_trust(None).get_token(self._ours)
        except ka.ClientException as error:
            raise _no_token(error) from error


def trustee(conf: cfg.ConfigOpts) -> str | None:
    """Return the user id of our account; None if none is configured."""
    if account.Account.from_config(conf) is None:
        return None
    try:
        found: str | None = account.session_from_config(conf).get_user_id()
    except ka.ClientException as error:
        raise _no_token(error) from error
    return found


def _no_token(error: ka.ClientException) -> exception.CloudError:
    LOG.warning('No token is to be had: %s', error)
    return exception.CloudError(
        session.IDENTITY.name, f'gives no token ({type(error).__name__})'
    )


def _lost() -> exception.TrustLost:
    return exception.TrustLost(
        'The service may not act for the user of this cluster any more: the '
        'trust, the user or the project is gone'
    )
