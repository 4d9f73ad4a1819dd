# SPDX-License-Identifier: Apache-2.0
"""Puts the API together: routes, and what stands in front of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import falcon
from oslo_config import cfg
from oslo_middleware import http_proxy_to_wsgi, request_id

from heat_vcluster import conf as configuration
from heat_vcluster import service as services
from heat_vcluster.api import access, errors, openapi, routes
from heat_vcluster.api.operation import Parts, Settings

LOG = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]


def make_app(service: services.Service, conf: cfg.ConfigOpts) -> Application:
    """Return the WSGI application of a service.

    Raises InvalidConfiguration, also for options of what stands in front:
    they are registered here, and not before.
    """
    options: Any = conf.api
    parts = Parts(
        service=service,
        access=access.Access(conf),
        settings=Settings(
            max_limit=options.max_limit,
            max_body_bytes=options.max_body_bytes,
            validate_responses=options.validate_responses,
        ),
        describe=openapi.document,
    )
    app = _authenticated(_routed(parts), conf)
    app = http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)
    made: Application = request_id.RequestId(app, conf)
    configuration.check(conf)
    return made


def _routed(parts: Parts) -> Application:
    app = falcon.App(middleware=[Remember()])
    app.req_options.strip_url_path_trailing_slash = True
    for kind in (Exception, falcon.HTTPError):
        app.add_error_handler(kind, errors.tell)
    for path, resource in routes.ROUTES:
        app.add_route(path, resource(parts))
    made: Application = app
    return made


def _authenticated(app: Application, conf: cfg.ConfigOpts) -> Application:
    options: Any = conf.api
    if options.auth == 'noauth':
        from heat_vcluster.api import noauth

        LOG.warning('[api]/auth is noauth: whoever asks is believed')
        return noauth.NoAuth(app)
    from heat_vcluster.api import keystone

    made: Application = keystone.KeystoneAuth(app, conf)
    return made


class Remember:
    """Tells the log of each request: who asks, at its end what came of it."""

    def process_request(
        self, request: falcon.Request, response: falcon.Response
    ) -> None:
        access.remember(request.env)
        if '\0' in request.path:
            # No name of anything has it, and not every database takes it.
            raise falcon.errors.HTTPRouteNotFound()

    def process_response(
        self,
        request: falcon.Request,
        response: falcon.Response,
        resource: Any,
        req_succeeded: bool,
    ) -> None:
        # No query: it is the tenant's own words.
        LOG.info(
            '%s %s: %s', request.method, request.path, response.status_code
        )
