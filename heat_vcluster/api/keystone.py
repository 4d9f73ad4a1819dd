# SPDX-License-Identifier: Apache-2.0
"""Knows who asks by his token, with keystone's own middleware."""

from __future__ import annotations

import logging
from typing import Any

import webob.exc
from keystoneauth1 import exceptions as ka
from keystoneauth1 import loading
from keystoneauth1 import session as ks
from keystoneauth1.identity import access as identity
from keystonemiddleware import auth_token
from keystonemiddleware import exceptions as refusals
from oslo_config import cfg

from heat_vcluster import exception
from heat_vcluster.api import access
from heat_vcluster.conf import auth

LOG = logging.getLogger(__name__)


class KeystoneAuth(auth_token.AuthProtocol):  # type: ignore[misc]
    """Leaves refusals to the API, which words them as all its others.

    The middleware's own way to do so (``delay_auth_decision``) cannot tell
    a bad token from an identity service that does not answer.

    Raises InvalidConfiguration for options that the middleware refuses.
    """

    def __init__(self, application: Any, conf: cfg.ConfigOpts) -> None:
        try:
            super().__init__(application, {'oslo_config_config': conf})
        except (
            ka.ClientException,
            cfg.Error,
            refusals.KeystoneMiddlewareException,
        ) as error:
            raise exception.InvalidConfiguration(
                f'[keystone_authtoken]: {error}'
            ) from error
        self._of_service = conf

    def process_request(self, request: Any) -> None:
        try:
            super().process_request(request)
        except webob.exc.HTTPUnauthorized:
            # So it is already, unless it is the service's token that is not.
            request.user_token_valid = False
            return
        except (webob.exc.HTTPException, ka.ClientException) as error:
            LOG.warning('A token could not be judged: %s', error)
            request.environ[access.UNJUDGED] = True
            return
        user = request.token_auth.user
        if user is not None:
            request.environ[access.SESSION] = self._session_of(user)

    def _session_of(self, user: Any) -> ks.Session:
        """Return a session that acts by the token, as ours reaches keystone.

        Its account's own settings (certificates, timeouts) serve here too.
        """
        return loading.load_session_from_conf_options(
            self._of_service,
            auth.GROUP.name,
            auth=identity.AccessInfoPlugin(user),
        )
