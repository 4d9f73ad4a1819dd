# SPDX-License-Identifier: Apache-2.0
"""Options of the REST API."""

from __future__ import annotations

from oslo_config import cfg

from heat_vcluster.conf import bounds

GROUP = cfg.OptGroup('api', title='The REST API')

OPTS = [
    cfg.StrOpt(
        'auth',
        default='keystone',
        choices=[
            ('keystone', 'by the token, as [keystone_authtoken] says'),
            (
                'noauth',
                'whoever says so: the token is PROJECT:USER:ROLES, such as '
                'demo:ann:member. For tests and development only',
            ),
        ],
        help='How it is known who asks.',
    ),
    cfg.HostAddressOpt(
        'host',
        default='0.0.0.0',  # noqa: S104
        help='The address that vcluster-service and vcluster-api listen on.',
    ),
    cfg.PortOpt(
        'port',
        default=8799,
        help='The port that vcluster-service and vcluster-api listen on. 0: '
        'any that is free; the log says which.',
    ),
    cfg.IntOpt(
        'threads',
        default=16,
        min=1,
        max=bounds.THREADS,
        help='How many requests vcluster-service and vcluster-api answer at '
        'a time.',
    ),
    cfg.IntOpt(
        'stop_seconds',
        default=60,
        min=1,
        max=bounds.YEAR,
        help='How long a process that is asked to stop waits for the '
        'requests and the work it has begun.',
    ),
    cfg.IntOpt(
        'max_limit',
        default=1000,
        min=1,
        max=bounds.COUNT,
        help='The most entries in one page of a list, and how many there are '
        'if the request names no limit.',
    ),
    cfg.IntOpt(
        'max_body_bytes',
        default=1024 * 1024,
        min=1024,
        max=1024 * 1024,
        help='The size of the largest body of a request that is read.',
    ),
    cfg.BoolOpt(
        'validate_responses',
        default=False,
        help='Check every answer against its schema before it is sent, and '
        'answer 500 instead where it does not fit. For tests and '
        'development.',
    ),
]
