# SPDX-License-Identifier: Apache-2.0
"""Which status an error has, and how it is told."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import falcon

from heat_vcluster import exception

LOG = logging.getLogger(__name__)

RETRY_SECONDS = 5
_BUSY = {'Retry-After': str(RETRY_SECONDS)}

#: The nearest class above an error counts.
STATUSES: dict[type[Any], int] = {
    exception.InvalidDocument: 400,
    exception.Unauthorized: 401,
    exception.NotAllowed: 403,
    exception.CloudForbidden: 403,
    exception.QuotaExceeded: 403,
    exception.LimitExceeded: 403,
    exception.TrustRefused: 403,
    exception.ProjectNotFound: 404,
    exception.ClusterNotFound: 404,
    exception.MemberNotFound: 404,
    exception.PlanNotFound: 404,
    exception.SnapshotNotFound: 404,
    exception.SnapshotExists: 409,
    exception.SnapshotNotReady: 409,
    exception.HasSnapshots: 409,
    exception.ClusterExists: 409,
    exception.ClusterBusy: 409,
    exception.WrongStatus: 409,
    exception.NotChangeable: 409,
    exception.RulesBroken: 409,
    exception.ReservationConflict: 409,
    exception.NoValidPlacement: 409,
    exception.NotEntrusted: 409,
    exception.TrustLost: 409,
    exception.PlanExpired: 410,
    exception.CloudError: 502,
    exception.ServiceUnavailable: 503,
}
#: What the framework refuses by itself.
CODES = {
    400: 'vcluster.invalid_request',
    # Not as a cluster that is gone: an endpoint may be wrong.
    404: 'vcluster.no_such_address',
    405: 'vcluster.method_not_allowed',
    413: 'vcluster.too_large',
    415: 'vcluster.unsupported_media_type',
}
_WORDS = {
    404: 'There is nothing at this address',
    405: 'This address does not take that method',
}
INTERNAL = (
    'vcluster.internal',
    'An internal error; the log of the service has more, by the request id',
)


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """A refusal as it is sent."""

    status: int
    code: str
    message: str
    details: tuple[dict[str, str], ...] = ()
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def tell(
    request: falcon.Request,
    response: falcon.Response,
    error: BaseException,
    params: Any,
) -> None:
    """Answer with an error; falcon calls it for whatever is raised."""
    told = read(error)
    if told.status == 500:
        LOG.error('%s %s failed', request.method, request.path, exc_info=error)
    response.status = told.status
    response.set_headers(told.headers)
    response.content_type = falcon.MEDIA_JSON
    response.text = json.dumps(
        {
            'error': {
                'code': told.code,
                'message': told.message,
                'details': told.details,
                'request_id': request.env.get('openstack.request_id'),
            }
        }
    )


def read(error: BaseException) -> Told:
    """Say what is told of an error: of an unknown one, nothing."""
    if isinstance(error, falcon.HTTPError):
        return _of_framework(error)
    status = _status(error)
    if status is None or not isinstance(error, exception.VClusterError):
        return Told(500, *INTERNAL)
    details = tuple(_details(error))
    # The details are not told a second time in the message.
    message = str(error).partition('\n')[0] if details else str(error)
    headers = _BUSY if status == 503 else {}
    return Told(status, error.code, message, details, headers)


def _status(error: BaseException) -> int | None:
    return next(
        (STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES),
        None,
    )


def _of_framework(error: falcon.HTTPError) -> Told:
    status = error.status_code
    message = _WORDS.get(status) or error.description or error.title
    return Told(
        status,
        CODES.get(status, 'vcluster.invalid_request'),
        str(message),
        headers=dict(error.headers or {}),
    )


def _details(error: exception.VClusterError) -> list[dict[str, str]]:
    match error:
        case exception.InvalidDocument():
            return [
                {'path': fault.path, 'message': fault.message}
                for fault in error.faults
            ]
        case exception.NoValidPlacement() | exception.RulesBroken():
            return [
                {'path': '', 'message': reason} for reason in error.reasons
            ]
    return []
