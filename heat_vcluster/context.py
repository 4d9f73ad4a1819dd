# SPDX-License-Identifier: Apache-2.0
"""On whose behalf something is done."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The tenant behind a request.

    ``auth`` is whatever the cloud needs to act as that tenant (for OpenStack
    a keystoneauth session); it is never stored, logged or shown.
    """

    project_id: str
    user_id: str
    auth: Any = dataclasses.field(default=None, repr=False, compare=False)
    request_id: str | None = None
