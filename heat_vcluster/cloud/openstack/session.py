# SPDX-License-Identifier: Apache-2.0
"""How the services are spoken to: identities, versions, retries, errors."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from keystoneauth1 import adapter, service_token
from keystoneauth1 import exceptions as ka
from keystoneauth1 import session as ks

from heat_vcluster import exception, metrics
from heat_vcluster.cloud.openstack import errors, pace, settings

LOG = logging.getLogger(__name__)

#: Answers by which a service says that it has not begun.
NOT_BEGUN = frozenset({429, 503})
CONNECTIONS = 64
#: Repeating one of these changes nothing that the first did not.
SAFE = frozenset({'GET', 'PUT', 'DELETE', 'HEAD'})
#: These change nothing at all.
READING = frozenset({'GET', 'HEAD'})


@dataclasses.dataclass(frozen=True, slots=True)
class Api:
    """A service as we use it: which version of which API.

    ``major`` None: the endpoint in the catalog is used as it stands.
    """

    name: str
    type: str
    major: str | None
    microversion: str | None = None


# Placement 1.39: consumer types (1.38) and traits by any-of.
PLACEMENT = Api('placement', 'placement', None, '1.39')
# Nova 2.90: the chosen host (2.74), extra specs in flavors (2.61).
COMPUTE = Api('nova', 'compute', '2.1', '2.90')
# Cinder 3.59: pools by volume type (3.35), user messages (3.3).
VOLUME = Api('cinder', 'block-storage', '3', '3.59')
NETWORK = Api('neutron', 'network', '2')
IMAGE = Api('glance', 'image', '2')
IDENTITY = Api('keystone', 'identity', '3')


class Service:
    """One service, by one identity. May be shared by threads."""

    def __init__(
        self,
        api: Api,
        session: ks.Session,
        options: settings.Settings,
        secrets: errors.Secrets,
        turns: pace.Turns | None = None,
    ) -> None:
        self.name = api.name
        self._secrets = secrets
        self._turns = turns or pace.Turns(options.concurrency)
        self._timeout = options.request_timeout
        self._retry_seconds = options.retry_seconds
        self._check: Callable[[], None] = lambda: None
        self._adapter = adapter.Adapter(
            session,
            service_type=api.type,
            interface=options.interface,
            region_name=options.region,
            version=api.major,
            default_microversion=api.microversion,
            user_agent='heat-vcluster',
        )

    def guarded(self, check: Callable[[], None]) -> Service:
        """Return the same; it calls ``check`` before all but reading."""
        service = copy.copy(self)
        service._check = check
        return service

    def get(self, path: str, **params: Any) -> Any:
        """Return the body of ``GET path``, read from JSON."""
        return self.call('GET', path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.call('POST', path, json=body)

    def put(self, path: str, body: Mapping[str, Any] | None) -> Any:
        return self.call('PUT', path, json=body)

    def delete(self, path: str) -> bool:
        """Tell whether there was something to delete."""
        try:
            self.call('DELETE', path)
        except errors.NotFound:
            return False
        return True

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """Send one request; return the body of the answer, None if empty.

        Asked again, for as long as ``patience`` has it: what a service has
        not begun (429, 503, no token to be had); and, where repeating is
        safe, what may have been carried out (other 5xx, lost connections).
        Raises CloudError; ``errors.Unclear`` means that the request may have
        been carried out.
        """
        patience = self.patience()
        while True:
            pause = 0.0
            try:
                answer = self._send(method, path, **kwargs)
                if answer.status_code < 400:
                    return self._read(answer)
                pause = pace.retry_after(answer.headers.get('Retry-After'))
                self._refuse(answer)
            except errors.Unavailable as error:
                trouble: exception.CloudError = error
            except errors.Unclear as error:
                if method not in SAFE:
                    raise
                trouble = error
            if not patience.wait(pause):
                raise trouble
            metrics.RETRIES.labels(self.name).inc()
            LOG.info('%s again after %s', f'{method} {path}', trouble)

    def patience(self) -> pace.Patience:
        """Return how long to bear with what may pass by itself."""
        return pace.Patience(self._retry_seconds)

    def _refuse(self, answer: Any) -> NoReturn:
        error = errors.translate(self.name, answer, self._secrets)
        if answer.status_code in NOT_BEGUN:
            raise errors.Unavailable(self.name, error.reason)
        raise error

    def _read(self, answer: Any) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise errors.Unclear(
                self.name, 'it does not answer in its own format'
            ) from error

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            with self._turns.turn(self.name):
                if method not in READING:
                    self._check()
                return self._adapter.request(
                    path,
                    method,
                    raise_exc=False,
                    timeout=self._timeout,
                    # Bodies hold user data, which may hold secrets.
                    log=False,
                    # A service that does not tell its versions would be
                    # asked at the address in the catalog, which need not
                    # have the version in it: all would look gone (404).
                    endpoint_filter={'allow_version_hack': False},
                    **kwargs,
                )
        except (ka.ConnectionError, ka.ConnectTimeout) as error:
            LOG.info('%s %s %s: %s', self.name, method, path, error)
            raise errors.Unclear(self.name, 'it does not answer') from error
        except (
            ka.Unauthorized,
            ka.Forbidden,
            ka.AuthorizationFailure,
        ) as error:
            raise exception.CloudForbidden(
                self.name, 'the credentials are not accepted'
            ) from error
        except ka.ClientException as error:
            raise self._unreached(error) from error

    def _unreached(self, error: ka.ClientException) -> exception.CloudError:
        """Return what kept a request from being sent: no token, no address.

        An answer of the service itself is never raised.
        """
        LOG.warning('%s cannot be reached: %s', self.name, error)
        reason = f'cannot be reached ({type(error).__name__})'
        if self._may_pass(error):
            return errors.Unavailable(self.name, reason)
        return exception.CloudError(self.name, reason)

    def _may_pass(self, error: ka.ClientException) -> bool:
        if isinstance(error, ka.HttpError):  # of the identity service
            status = int(error.http_status)
            return status == 429 or status >= 500
        if isinstance(error, ka.EndpointNotFound):
            return self._is_in_catalog()
        return isinstance(error, ka.DiscoveryFailure)

    def _is_in_catalog(self) -> bool:
        """Tell a service that is silent from one that is not there."""
        try:
            found = self._adapter.get_endpoint(skip_discovery=True)
        except ka.ClientException:
            return False
        return found is not None

    def pages(self, path: str, key: str, **params: Any) -> list[Any]:
        """Return all items of a list that is cut into pages.

        The next page is asked for by the id of the last item, as nova,
        cinder, neutron and glance all do.
        """
        items: list[Any] = []
        while True:
            body = self.get(path, **params)
            items.extend(body[key])
            if not _has_more(body, key):
                return items
            params['marker'] = items[-1]['id']


def _has_more(body: Mapping[str, Any], key: str) -> bool:
    links = body.get(f'{key}_links', ())
    return bool(body.get('next')) or any(
        link.get('rel') == 'next' for link in links
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Services:
    """All services by one identity."""

    compute: Service
    volume: Service
    network: Service
    image: Service
    placement: Service
    identity: Service

    @classmethod
    def of(
        cls,
        session: ks.Session,
        options: settings.Settings,
        secrets: errors.Secrets,
        turns: pace.Turns | None = None,
    ) -> Services:
        """``turns`` are shared by all that press the same services."""
        turns = turns or pace.Turns(options.concurrency)
        return cls(
            *(
                Service(api, session, options, secrets, turns)
                for api in (
                    COMPUTE,
                    VOLUME,
                    NETWORK,
                    IMAGE,
                    PLACEMENT,
                    IDENTITY,
                )
            )
        )

    def guarded(self, check: Callable[[], None]) -> Services:
        return Services(
            **{
                field.name: getattr(self, field.name).guarded(check)
                for field in dataclasses.fields(self)
            }
        )


def user_session(auth: Any) -> ks.Session:
    """Return a tenant's own session.

    ``auth``: that, or an openstacksdk connection that has it.
    """
    user = getattr(auth, 'session', None)
    if not isinstance(user, ks.Session):
        user = auth
    if not isinstance(user, ks.Session) or user.auth is None:
        raise exception.InvalidConfiguration(
            'the context holds no keystoneauth session to act with'
        )
    return user


def tenant_session(
    auth: Any, service: ks.Session, discovery: dict[str, Any]
) -> ks.Session:
    """Return a session whose requests carry both tokens.

    ``auth``: as :func:`user_session` takes it. The token of the service
    lets the tenant's expired token pass during a long create, and carries
    the right to choose a host. ``discovery`` is what is already known of
    the services' versions, and is added to.
    """
    user = user_session(auth)
    both = service_token.ServiceTokenAuthWrapper(user.auth, service.auth)
    return session_like(user, both, discovery)


def session_like(
    known: ks.Session, auth: Any, discovery: dict[str, Any]
) -> ks.Session:
    """Return a session that reaches services as ``known`` does."""
    session = ks.Session(
        auth=auth,
        verify=known.verify,
        cert=known.cert,
        timeout=known.timeout,
        discovery_cache=discovery,
    )
    widen(session)
    return session


def widen(session: ks.Session) -> None:
    """Let as many threads as an engine has keep their connections."""
    for transport in session.session.adapters.values():
        transport.init_poolmanager(CONNECTIONS, CONNECTIONS)
