# SPDX-License-Identifier: Apache-2.0
"""Believes whatever a request says: for tests and development only."""

from __future__ import annotations

from typing import Any

#: As keystone has it: who has the one has the others too.
IMPLIED = {
    'admin': ('admin', 'manager', 'member', 'reader'),
    'manager': ('manager', 'member', 'reader'),
    'member': ('member', 'reader'),
}
_SAID_BY_MIDDLEWARE = (
    'HTTP_X_IDENTITY_STATUS',
    'HTTP_X_PROJECT_ID',
    'HTTP_X_USER_ID',
    'HTTP_X_ROLES',
)


class NoAuth:
    """Reads the token ``PROJECT:USER:ROLE,ROLE``."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, env: dict[str, Any], start_response: Any) -> Any:
        for header in _SAID_BY_MIDDLEWARE:
            env.pop(header, None)
        env.update(_identity(env.get('HTTP_X_AUTH_TOKEN', '')))
        return self._application(env, start_response)


def _identity(token: str) -> dict[str, str]:
    parts = token.split(':')
    if len(parts) != 3 or not all(parts):
        return {}
    project_id, user_id, named = parts
    roles = [
        role
        for name in named.split(',')
        for role in IMPLIED.get(name.strip(), (name.strip(),))
    ]
    return {
        'HTTP_X_IDENTITY_STATUS': 'Confirmed',
        'HTTP_X_PROJECT_ID': project_id,
        'HTTP_X_USER_ID': user_id,
        'HTTP_X_ROLES': ','.join(roles),
    }
