# SPDX-License-Identifier: Apache-2.0
"""The real cloud with something happening right after one of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

After = Mapping[str, Callable[..., None]]


class HookedOpener:
    """Opens the real cloud; ``after`` maps a method to what follows it.

    The hook is called with the arguments of the real call, once it is done
    and before its caller goes on: what happens there, happens at exactly
    that moment.
    """

    def __init__(self, opener: Any, after: After) -> None:
        self._opener = opener
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opener, name)

    def guarded(self, check: Callable[[], None]) -> Any:
        return HookedOpener(self._opener.guarded(check), self._after)

    def open(self, context: Any) -> Any:
        return _HookedCloud(self._opener.open(context), self._after)


class _HookedCloud:
    def __init__(self, cloud: Any, after: After) -> None:
        self._cloud = cloud
        self._after = after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._cloud, name)
        hook = self._after.get(name)
        if hook is None:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = real(*args, **kwargs)
            hook(*args, **kwargs)
            return answer

        return call


class Once:
    """Calls a function the first time it is called itself, from any thread."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self.is_done = False

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            if not self.is_done:
                self.is_done = True
                self._function(*args, **kwargs)
