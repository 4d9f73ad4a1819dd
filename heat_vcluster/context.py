# SPDX-License-Identifier: Apache-2.0
"""On whose behalf something is done."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The tenant behind a request.

    ``auth`` is whatever the cloud needs to act as that tenant (for OpenStack
    a keystoneauth session); it is never stored, logged or shown. An outsider
    (an administrator) may see the project's things, but has no rights of his
    own in it.
    """

    project_id: str
    user_id: str
    auth: Any = dataclasses.field(default=None, repr=False, compare=False)
    request_id: str | None = None
    is_outsider: bool = False
