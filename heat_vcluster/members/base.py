# SPDX-License-Identifier: Apache-2.0
"""What a kind of member is: the steps that build it, and what each makes."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from heat_vcluster import registry
from heat_vcluster.cloud import base as cloud
from heat_vcluster.cloud import model
from heat_vcluster.spec import incarnations
from heat_vcluster.spec import model as spec

T = TypeVar('T')

#: What every step waits for: all places of the cluster are held.
RESERVATION = 'reservation'
#: The fact that a member's place was taken by others: it has to move. It is
#: written down before the move, so that no other engine adopts what is there.
PLACE_LOST = 'place_lost'
#: The fact of a server that was made: the domains that it knows as its own.
TOLD = 'told_domains'
#: The fact of a server that is to get another flavor: ``place`` and
#: ``domains`` where it is to be then, and once that was asked for ``flavor``.
RESIZE = 'resize'
#: The fact of a thing that others have named: what it is called.
NAMED = 'name'
#: The fact that a server is to be made without its server group.
UNGROUPED = 'ungrouped'


class Site(abc.ABC):
    """Where members are built: one cluster in one cloud, by one engine.

    Given to every step; safe to use from several threads.
    """

    cluster_id: str
    cluster_name: str
    wanted: spec.GroupSpec
    cloud: cloud.Cloud
    resolution: model.Resolution
    attempts: int  # how often one member may try to move in

    def owner(self, member: str, part: str = '') -> model.Owner:
        return model.Owner(self.cluster_id, member, part)

    def name_of(self, member: str, part: str = '') -> str:
        """Return the name a real thing gets, for people to read."""
        words = (self.cluster_name, incarnations.shown(member), part)
        return '-'.join(word for word in words if word)

    @abc.abstractmethod
    def place(self, member: str) -> str | None:
        """Return the planned host or pool, or None if it has no plan."""

    @abc.abstractmethod
    def domains(self, member: str) -> Mapping[str, str]:
        """Return level -> pseudonym of the member's place, if it has one."""

    @abc.abstractmethod
    def server_group(self, member: str) -> str | None:
        """Return the id of the server group a server is to be in, if any.

        It is made for the first of its servers; where it cannot be had all
        do without, which is told.
        """

    @abc.abstractmethod
    def retake(self, member: str) -> bool:
        """Try to hold the place of a member again that it lost just now."""

    @abc.abstractmethod
    def facts(self, member: str) -> Mapping[str, Any]:
        """Return what has been recorded of a member's real things."""

    @abc.abstractmethod
    def record(self, member: str, **facts: Any) -> None:
        """Keep facts (plain JSON values) of a member, now and for good."""

    @abc.abstractmethod
    def tell(self, member: str, kind: str, message: str) -> None:
        """Write an event that the tenant may read."""

    @abc.abstractmethod
    def wait(self, check: Callable[[], T | None], quick: bool = False) -> T:
        """Poll until ``check`` returns something other than None.

        Raises Cancelled or TimedOut. ``quick`` polls more often, for waits
        of less than a second or so.
        """

    @abc.abstractmethod
    def handover(self) -> contextlib.AbstractContextManager[None]:
        """Open one of the few hand-over windows; waits for its turn."""

    @abc.abstractmethod
    def release(self, member: str) -> None:
        """Give up the member's hold, right before it is built there."""

    @abc.abstractmethod
    def move(self, member: str) -> None:
        """Plan and hold another place for a member that lost its own.

        All other members keep theirs, also those that are being handed
        over just now. Raises NoValidPlacement, ReservationConflict.
        """

    @abc.abstractmethod
    def remove(self, member: str, kinds: Iterable[model.Kind]) -> None:
        """Remove the member's things of these kinds; wait until gone.

        Raises MemberFailed if one stays.
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One task of the graph: builds a part of a member.

    ``requires`` names other steps as ``member:step``. ``makes`` has the
    kinds of things that are removed again if the build is rolled back.
    """

    member: str
    name: str
    execute: Callable[[Site], None]
    requires: frozenset[str]
    makes: frozenset[model.Kind]

    @property
    def symbol(self) -> str:
        return symbol(self.member, self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """What a member really is.

    ``place``: where it is; None: nowhere, or it cannot be told. ``fault``:
    why it is not what it should be, in words for its tenant.
    ``is_lost``: nothing of it is of use any more.
    """

    place: str | None = None
    fault: str | None = None
    is_lost: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a member is looked at by.

    ``facts``: of all members. ``there``: (kind, id) of all that bears the
    cluster's tag. ``status``: what a server of the cluster should show, in
    the compute service's own words.
    """

    cloud: cloud.Cloud
    facts: Mapping[str, Mapping[str, Any]]
    there: frozenset[tuple[model.Kind, str]]
    status: str

    def missing(
        self, kind: model.Kind, ids: Iterable[str | None]
    ) -> str | None:
        """Say that one of these things is gone, if one is."""
        for thing_id in ids:
            if thing_id is not None and (kind, thing_id) not in self.there:
                return f'its {kind.replace("_", " ")} is gone'
        return None


class MemberType(abc.ABC):
    """One file each, registered as ``heat_vcluster.members``."""

    name: str

    @abc.abstractmethod
    def step_names(self, asked: spec.MemberSpec) -> tuple[str, ...]:
        """Return the names of the steps such a member has, in order."""

    @abc.abstractmethod
    def steps(
        self, wanted: spec.GroupSpec, member: spec.Member
    ) -> tuple[Step, ...]:
        """Return the steps for one member, in order."""

    @abc.abstractmethod
    def resource_id(self, facts: Mapping[str, Any]) -> str | None:
        """Return the id of the member's own real thing, if it is made."""

    @abc.abstractmethod
    def examine(self, scene: Scene, member: spec.Member) -> Condition:
        """Find out what a member that was built is by now."""

    def addresses(self, facts: Mapping[str, Any]) -> list[str]:
        """Return the member's addresses, in the order of its interfaces."""
        return []

    def things(
        self, facts: Mapping[str, Any]
    ) -> tuple[tuple[model.Kind, str, str], ...]:
        """Return all that is recorded of a member: (kind, id, part)."""
        return ()

    # -- what can be changed of one that runs -----------------------------
    #
    # Each of these is given what was asked for and what is asked for now,
    # and may be done again. The first two are also done the other way
    # round, to set back what was changed.

    def let_go(  # noqa: B027
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Give up what others may be waiting for."""

    def change(  # noqa: B027
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Become what is asked for now, as far as that can be undone."""

    def resize(  # noqa: B027
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Take another size, in the room that is held for it.

        It comes after ``change``, and stays open: see the next one.
        """

    def take_back(  # noqa: B027
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Undo what ``resize`` did, if that can be: it comes first then.

        ``before`` is what the member is to be again.
        """

    def grow(  # noqa: B027
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> None:
        """Do what cannot be undone: it comes last."""

    def remains(
        self,
        site: Site,
        member: str,
        before: spec.MemberSpec,
        after: spec.MemberSpec,
    ) -> str | None:
        """Say what of it is there to stay, should all be set back."""
        return None

    def take_up(  # noqa: B027
        self, site: Site, member: str, there: Sequence[model.Thing]
    ) -> None:
        """Judge what a dead engine left of a member, before its steps run.

        ``there``: all that bears its tag. Steps find by themselves what is
        good, so only what is not has to be told: raises MemberFailed.
        """


def member_type(name: str) -> MemberType:
    """Return the member type of that name; KeyError if there is none."""
    made: MemberType = registry.get('members', name)()
    return made


def symbol(member: str, step: str) -> str:
    return f'{member}:{step}'


def all_steps(wanted: spec.GroupSpec) -> tuple[Step, ...]:
    """Return the steps of every member of the cluster."""
    return tuple(
        step
        for member in wanted.members
        for step in member_type(member.type).steps(wanted, member)
    )


def ready(wanted: spec.GroupSpec, names: Iterable[str]) -> frozenset[str]:
    """Return the symbols that must be done for these members to be ready."""
    asked = [wanted.member(name) for name in names]
    return frozenset(
        symbol(member.name, step)
        for member in asked
        for step in member_type(member.type).step_names(member.spec)
    )
