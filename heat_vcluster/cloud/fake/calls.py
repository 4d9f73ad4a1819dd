# SPDX-License-Identifier: Apache-2.0
"""How a call enters the fake cloud: recorded, disturbed, one at a time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from heat_vcluster import exception
from heat_vcluster.cloud.fake import faults as fake_faults
from heat_vcluster.cloud.fake import world as fake_world

P = ParamSpec('P')
R = TypeVar('R')

#: The names of the calls that change something.
CHANGES: set[str] = set()


def allow() -> None:
    """Let whoever is not guarded do what he wants."""


class Side:
    """One side of the cloud, as a project sees it."""

    def __init__(
        self,
        world: fake_world.World,
        faults: fake_faults.Faults,
        project_id: str,
        check: Callable[[], None] = allow,
    ) -> None:
        self._world = world
        self._faults = faults
        self._project_id = project_id
        self._check = check

    def _own(
        self, kind: type[fake_world.T], thing_id: str
    ) -> fake_world.T | None:
        return self._world.own(kind, thing_id, self._project_id)

    def _need(
        self, kind: type[fake_world.T], thing_id: str, service: str
    ) -> fake_world.T:
        found = self._own(kind, thing_id)
        if found is None:
            raise exception.CloudError(
                service, f'{kind.__name__} {thing_id} could not be found.'
            )
        return found

    def _charge(self, service: str, **asked: int) -> None:
        """Raise QuotaExceeded unless so much more may be made."""
        for name, amount in asked.items():
            left = self._world.quota_left(self._project_id, name)
            if left is not None and amount > left:
                limit = self._world.limits(self._project_id)[name]
                raise exception.QuotaExceeded(
                    service,
                    f'Quota exceeded for {name}: requested {amount}, but '
                    f'already used {limit - left} of {limit}',
                )


def called(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method of a Side a call to the cloud."""
    signature = inspect.signature(method)
    name = method.__name__

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments = _settled(signature.bind(*args, **kwargs).arguments)
        side: Any = arguments.pop('self')
        world: fake_world.World = side._world
        with world.lock:
            members = world.members_of(arguments)
        record = side._faults.enter(name, side._project_id, members, arguments)
        with world.lock:
            if name in CHANGES:
                side._check()
            result = method(side, **arguments)
        side._faults.leave(record)
        return result

    return call


def changing(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method a call that changes something, with a check before it."""
    CHANGES.add(method.__name__)
    return called(method)


def _settled(arguments: dict[str, Any]) -> dict[str, Any]:
    """Let an iterable that can be read only once be read by all."""
    return {
        name: tuple(value)
        if isinstance(value, Iterable)
        and not isinstance(value, (str, frozenset, tuple, dict))
        else value
        for name, value in arguments.items()
    }
