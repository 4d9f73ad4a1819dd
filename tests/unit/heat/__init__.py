# SPDX-License-Identifier: Apache-2.0
"""Tests within a real Heat, which has to be told first that it has threads."""

import contextlib

# Older ones know nothing else.
with contextlib.suppress(ImportError):
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
