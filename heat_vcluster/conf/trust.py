# SPDX-License-Identifier: Apache-2.0
"""Options of acting for users who are not there."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('trust', title='Acting for users who are not there')

OPTS = [
    cfg.BoolOpt(
        'enabled',
        default=True,
        help="""
Have each new cluster come with a trust: its user lets the account in
[service_auth] act for him in this one project, with the roles of his token.
Another engine goes on by it where one died. The trust ends with the cluster.

Without one, a cluster whose engine died ends in ERROR, and what was made of it
stays until the user deletes it; vcluster-api with a jobboard takes no cluster.
A trust is not to be had with restricted application credentials, nor with
tokens that are themselves by a trust.

Trusts that were made are used and ended whatever this says.
""",
    ),
]
