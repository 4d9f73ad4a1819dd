# SPDX-License-Identifier: Apache-2.0
"""How a call reaches the service, and what its answer means."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib import parse

from keystoneauth1 import exceptions as ksa

from heat_vcluster import exception

SERVICE_TYPE = 'vcluster'

FIRST_PAUSE, LAST_PAUSE = 1.0, 20.0  # seconds, where the service names none

_VERSIONED = re.compile(r'/v2(\.\d+)?(/[^/]+)?$')


def root(adapter: Any) -> str:
    """Return the URL below which a tenant's clusters are.

    The endpoint may be registered with or without the version, and with or
    without the project. Raises ServiceUnavailable if there is none.
    """
    try:
        endpoint = adapter.get_endpoint()
    except ksa.CatalogException:
        endpoint = None
    if not endpoint:
        raise exception.ServiceUnavailable(
            f'The catalog has no endpoint of type {SERVICE_TYPE}'
        )
    url: str = endpoint.rstrip('/')
    found = _VERSIONED.search(url)
    if found and found[2]:
        return url
    project_id = adapter.get_project_id()
    if not project_id:
        raise exception.ServiceUnavailable(
            'Whoever asks without a project has to name an endpoint that '
            f'ends in /v2/PROJECT_ID, not {url}'
        )
    return f'{url}/{project_id}' if found else f'{url}/v2/{project_id}'


def part(text: str) -> str:
    """Write a part of a path so that it stays one."""
    return parse.quote(text, safe='')


def call(
    adapter: Any,
    method: str,
    path: str,
    *,
    patience: float,
    is_repeatable: bool = True,
    **options: Any,
) -> Mapping[str, Any]:
    """Ask for a path below the root; return the answer's body.

    While there is no answer, or "not now" (503), what is repeatable is asked
    again for ``patience`` seconds. Raises the service's own error, and
    ServiceUnavailable if there is no answer.
    """
    url = root(adapter) + path
    until = time.monotonic() + (patience if is_repeatable else 0.0)
    pauses = _pauses()
    while True:
        pause = next(pauses)
        try:
            response = adapter.request(url, method, raise_exc=False, **options)
        except ksa.RetriableConnectionFailure as error:
            if time.monotonic() + pause > until:
                raise exception.ServiceUnavailable(str(error)) from error
        except ksa.ConnectionError as error:
            raise exception.ServiceUnavailable(str(error)) from error
        else:
            if response.status_code < 400:
                return _body(response)
            pause = _retry_after(response) or pause
            if response.status_code != 503 or time.monotonic() + pause > until:
                raise failure(response)
        time.sleep(pause)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LAST_PAUSE)


def _retry_after(response: Any) -> float:
    """Return the seconds that the service names; 0 if it names none."""
    named = response.headers.get('Retry-After', '')
    return float(named) if named.isdecimal() else 0.0


def _body(response: Any) -> Mapping[str, Any]:
    """Return the JSON object of an answer; of any other, an empty one."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


# Errors


def failure(response: Any) -> exception.VClusterError:
    """Return the error that an answer tells of."""
    told = _body(response).get('error')
    if not isinstance(told, Mapping) or 'code' not in told:
        # Another than the service has answered, such as a proxy.
        reason = f'{response.status_code} {response.reason}'
        told = {'code': None, 'message': f'The service answered {reason}'}
    error = _error(
        told['code'], str(told.get('message')), told.get('details') or ()
    )
    error.request_id = told.get('request_id') or response.headers.get(
        'X-Openstack-Request-Id'
    )
    return error


def _error(
    code: str | None, message: str, details: Any
) -> exception.VClusterError:
    """Make the error of a code as it was, as far as it was told."""
    kind = _classes().get(code or '')
    told = [str(detail.get('message')) for detail in details]
    if kind is None:
        return exception.ServiceError(message, code)
    if issubclass(kind, exception.InvalidDocument) and told:
        faults = zip((str(d.get('path')) for d in details), told, strict=True)
        return kind(exception.Fault(*fault) for fault in faults)
    if issubclass(kind, exception.CloudError):
        service, _, reason = message.partition(': ')
        return kind(service, reason)
    if issubclass(kind, (exception.NoValidPlacement, exception.RulesBroken)):
        error: exception.VClusterError = kind(told)
    else:
        # What else it was made of is in its message.
        error = kind.__new__(kind)
    error.args = (message,)
    return error


def _classes() -> Mapping[str, type[exception.VClusterError]]:
    """Return the errors' classes by their codes.

    Classes without a code of their own are not for others to know.
    """
    found: dict[str, type[exception.VClusterError]] = {}
    waiting = [exception.VClusterError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)  # parents come first
        waiting.extend(kind.__subclasses__())
    return found
