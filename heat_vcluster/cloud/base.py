# SPDX-License-Identifier: Apache-2.0
"""The outside: what the engine may ask of a cloud, and may rely on.

One ``Cloud`` acts for one tenant. All methods may be called from several
threads at once. They raise ``CloudError`` (or a subclass) with the service's
own words, after retrying by themselves what is worth retrying (connection
trouble, 429, 503, races of generations), within bounds.
"""

from __future__ import annotations

import abc
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)

from heat_vcluster import context as ctx
from heat_vcluster import exception
from heat_vcluster.cloud import existing, grouping, model
from heat_vcluster.placement import model as placement
from heat_vcluster.placement import reach as reaches
from heat_vcluster.spec import model as spec


class Cloud(abc.ABC):
    """A cloud as one tenant sees it, plus the rights of our service.

    ``ensure_*`` methods are lookup-or-create by the owner's tag: called
    again after a crash they return what is there. ``delete`` is idempotent.
    """

    # -- what is there ----------------------------------------------------

    @abc.abstractmethod
    def resolve(
        self, wanted: spec.GroupSpec, *, is_begun: bool = False
    ) -> model.Resolution:
        """Find every existing thing the document names, and what it needs.

        Raises InvalidDocument with all faults at once (unknown flavor,
        image, network, key, volume type, security group, external network,
        multiattach not allowed by the type, quotas that cannot suffice).
        Quotas are not looked at if ``is_begun``: a part of what is wanted
        is there, and counts already. Nothing is changed in the cloud.
        """

    @abc.abstractmethod
    def snapshot(
        self, demands: Sequence[placement.Demand]
    ) -> tuple[placement.Snapshot, tuple[placement.Demand, ...]]:
        """Read all capacity now, and where each demand may go.

        Returns the snapshot and the same demands with ``candidates`` set.
        """

    def readings(
        self, demands: Sequence[placement.Demand], reach: reaches.Reach
    ) -> Iterator[model.Reading]:
        """Read capacity as far as it takes: ever more of the cloud.

        Each reading has all that the one before it has. The last one, and
        no other, is whole, and it is what is there now; those before it may
        be seconds old. A place where a hold failed is not shown as it was
        before that.
        """
        yield model.Reading(*self.snapshot(demands), is_whole=True)

    @abc.abstractmethod
    def usage(self) -> Mapping[str, Mapping[str, int]]:
        """Return what the tenant's servers take: host -> class -> amount.

        Servers whose host cannot be told are left out, holds are too.
        """

    # -- the hold ---------------------------------------------------------

    @abc.abstractmethod
    def reserve(self, holds: Sequence[model.Hold]) -> None:
        """Set aside room for all holds, or for none.

        Raises ReservationConflict if the room is gone. A hold that is
        already there by its id is not taken twice.
        """

    @abc.abstractmethod
    def release(self, hold_ids: Iterable[str]) -> None:
        """Give the room back. Unknown holds are no error."""

    @abc.abstractmethod
    def find_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the holds that really hold room now."""

    # -- networks ---------------------------------------------------------

    @abc.abstractmethod
    def ensure_network(
        self, owner: model.Owner, name: str, wanted: spec.NetworkSpec
    ) -> str:
        """Make the bare network; return its id."""

    @abc.abstractmethod
    def ensure_subnet(
        self,
        owner: model.Owner,
        name: str,
        network_id: str,
        wanted: spec.SubnetSpec,
    ) -> str: ...

    @abc.abstractmethod
    def ensure_router(
        self,
        owner: model.Owner,
        name: str,
        external_network_id: str,
        subnet_ids: Sequence[str],
    ) -> str:
        """Make the router with its gateway and an interface per subnet."""

    @abc.abstractmethod
    def ensure_port(
        self, owner: model.Owner, wanted: model.PortRequest
    ) -> model.Port: ...

    @abc.abstractmethod
    def ensure_floating_ip(
        self, owner: model.Owner, external_network_id: str, port_id: str
    ) -> model.FloatingIp: ...

    # -- volumes and servers ----------------------------------------------

    @abc.abstractmethod
    def ensure_volume(
        self, owner: model.Owner, wanted: model.VolumeRequest
    ) -> str:
        """Ask for the volume; return its id at once (poll the state)."""

    @abc.abstractmethod
    def volume_state(self, volume_id: str) -> model.VolumeState: ...

    @abc.abstractmethod
    def ensure_server_group(
        self, owner: model.Owner, wanted: grouping.ServerGroup
    ) -> str:
        """Make the group; return its id. Its owner's member is the rule."""

    @abc.abstractmethod
    def ensure_server(
        self, owner: model.Owner, wanted: model.ServerRequest
    ) -> str:
        """Ask for the server on its host; return its id at once.

        A server of the owner that has failed is not returned: the caller
        deletes it first.
        """

    @abc.abstractmethod
    def is_claimed(self, server_id: str) -> bool:
        """Tell whether the server's room is accounted to itself by now."""

    @abc.abstractmethod
    def server_state(self, server_id: str) -> model.ServerState: ...

    @abc.abstractmethod
    def locate(self, server_id: str) -> model.Seat | None:
        """Return where a server really is, whatever state it is in.

        While it moves: where it is going. None if it takes no room
        anywhere, or none that we may see.
        """

    @abc.abstractmethod
    def shared_hosts(
        self, hosts: Collection[str], server_ids: Collection[str]
    ) -> frozenset[str]:
        """Return those of the hosts that have more on them than these.

        Whatever takes room there and is none of the servers: others'
        servers, and what is held for them.
        """

    @abc.abstractmethod
    def change_power(self, server_id: str, power: model.Power) -> None:
        """Ask a server to stop, ...; poll its status (see the state).

        ``SHUTOFF``, ``ACTIVE`` or ``SUSPENDED`` is what it comes to. One that
        is there already, or on its way, is left alone. Raises CloudError for
        one that is in no state for it.
        """

    @abc.abstractmethod
    def migrate(self, server_id: str, host: str, *, live: bool) -> None:
        """Ask for a server to move to a host; poll ``is_moving``.

        The compute service claims the room there itself, and leaves the
        server where it is if there is none. Not ``live``: it is off for a
        while, and on again. Raises CloudForbidden without the right to it,
        which tenants do not have; nothing is changed then.
        """

    @abc.abstractmethod
    def is_moving(self, server_id: str) -> bool:
        """Tell whether a move that we asked for is under way.

        One that waits to be confirmed is confirmed by it: never ask about a
        server that somebody else may be resizing.
        """

    @abc.abstractmethod
    def resize(self, server_id: str, flavor_id: str) -> None:
        """Ask for another flavor; poll ``resize_state``.

        The compute service chooses the host, the present one or another, and
        claims the whole of the new flavor there beside what the old one
        takes, until it is confirmed. Where it cannot, the server stays what
        it was. One on its way to that flavor, or there, is left alone.
        """

    @abc.abstractmethod
    def resize_state(self, server_id: str) -> model.Resize:
        """Tell what flavor a server has, and whether that is for good."""

    @abc.abstractmethod
    def confirm_resize(self, server_id: str) -> None:
        """Ask for what is open to be for good; done already is no error."""

    @abc.abstractmethod
    def revert_resize(self, server_id: str) -> None:
        """Ask for a server to go back to its old flavor and host.

        Done already is no error, and one that was confirmed stays as it is.
        """

    @abc.abstractmethod
    def attach_volume(
        self, server_id: str, volume_id: str, device: str | None
    ) -> None:
        """Ask to attach; done already is no error (poll the state)."""

    @abc.abstractmethod
    def detach_volume(self, server_id: str, volume_id: str) -> None:
        """Ask to detach; not attached is no error (poll the state)."""

    @abc.abstractmethod
    def drop_attachment(self, server_id: str, volume_id: str) -> None:
        """Ask to free a volume of a server that is gone for good.

        Nothing is done while there is such a server, or one that somebody
        could restore (poll the state).
        """

    # -- changing what is there -------------------------------------------

    @abc.abstractmethod
    def mark_server(self, server_id: str, marks: model.Marks) -> None:
        """Set and drop metadata and tags; done already is no error."""

    @abc.abstractmethod
    def tell_domains(self, server_id: str, domains: Mapping[str, str]) -> None:
        """Let a server know where it is by now: level -> pseudonym."""

    @abc.abstractmethod
    def mark_volume(self, volume_id: str, marks: model.Marks) -> None:
        """Set and drop metadata; a volume has no tags."""

    @abc.abstractmethod
    def secure_port(
        self, port_id: str, security_group_ids: Sequence[str] | None
    ) -> None:
        """Give a port exactly these groups; None: the default one."""

    @abc.abstractmethod
    def extend_volume(self, volume_id: str, size_gb: int) -> None:
        """Ask for more room; as large already is no error (poll the state).

        It cannot be taken back.
        """

    # -- what others have made ---------------------------------------------

    @abc.abstractmethod
    def existing_servers(self, name_or_id: str) -> tuple[existing.Server, ...]:
        """Return the tenant's servers of that id or, failing that, name."""

    @abc.abstractmethod
    def existing_volumes(self, name_or_id: str) -> tuple[existing.Volume, ...]:
        """Return the tenant's volumes of that id or, failing that, name."""

    @abc.abstractmethod
    def adopt(
        self, thing_kind: model.Kind, thing_id: str, owner: model.Owner
    ) -> None:
        """Let a thing bear its owner's tag, as if it were made for him.

        Its tenant's own words stay. Done already is no error.
        """

    @abc.abstractmethod
    def disown(
        self, thing_kind: model.Kind, thing_id: str, cluster_id: str
    ) -> None:
        """Take the cluster's tag off a thing, and leave it alone.

        One that does not bear it, or is gone, is no error. A server group
        cannot do without.
        """

    # -- snapshots --------------------------------------------------------

    @abc.abstractmethod
    def ensure_image(
        self, owner: model.Owner, name: str, server_id: str
    ) -> str:
        """Ask for an image of a server's disk; return its id at once.

        For a server that runs, is off or is suspended, and does not boot
        from a volume. Poll the state.
        """

    @abc.abstractmethod
    def image_state(self, image_id: str) -> model.CopyState:
        """Return how far an image is.

        GONE: the compute service has given it up, or somebody removed it.
        """

    @abc.abstractmethod
    def ensure_volume_snapshot(
        self, owner: model.Owner, name: str, volume_id: str
    ) -> str:
        """Ask for a snapshot of a volume, attached or not; return its id.

        As long as there is one, the volume cannot be deleted.
        """

    @abc.abstractmethod
    def volume_snapshot_state(self, snapshot_id: str) -> model.CopyState: ...

    # -- removal ----------------------------------------------------------

    @abc.abstractmethod
    def find(
        self,
        cluster_id: str,
        member: str | None = None,
        kinds: Collection[model.Kind] | None = None,
    ) -> tuple[model.Thing, ...]:
        """Return everything tagged with the cluster (and member).

        Only of the given kinds: each kind costs a call. By default all that
        members are made of; what snapshots are made of has to be named.
        In the order of removal (see ``Kind``).
        """

    @abc.abstractmethod
    def delete(self, thing_kind: model.Kind, thing_id: str) -> None:
        """Ask for removal. Gone already is success.

        A router loses its gateway and interfaces first. Raises CloudError
        when the service refuses for now (still in use): call again.
        """

    @abc.abstractmethod
    def is_gone(self, thing_kind: model.Kind, thing_id: str) -> bool:
        """Tell whether it really is no more."""


class CloudOpener(abc.ABC):
    """Opens the cloud for a tenant; shared by all requests of a process."""

    #: scopes a document may use here, widest first, ``host`` last.
    scopes: Collection[str]
    #: those of them whose domains tenants know by name, as zones are.
    named_scopes: Collection[str] = ()

    @abc.abstractmethod
    def open(self, context: ctx.Context) -> Cloud:
        """Return the cloud as this tenant. Cheap; no call goes out."""

    @abc.abstractmethod
    def guarded(self, check: Callable[[], None]) -> CloudOpener:
        """Return the same for one who may lose the right to change a thing.

        ``check`` is called right before each request that changes something,
        by this opener or by what it opens, and before each that is repeated;
        what it raises ends the call. Trusts are had and ended without it.
        """

    @abc.abstractmethod
    def release_holds(self, hold_ids: Iterable[str]) -> None:
        """Release holds by our own rights alone, without any tenant."""

    @abc.abstractmethod
    def missing_holds(self, hold_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the holds that hold no room now."""

    @abc.abstractmethod
    def hold_again(
        self, project_id: str, user_id: str, holds: Sequence[model.Hold]
    ) -> None:
        """Take up holds that were lost, all or none, by our own rights.

        They count to the tenant as before. Those that are there stay.
        Raises ReservationConflict if the room is gone.
        """

    # -- acting for a tenant who is not there -----------------------------

    def entrust(self, context: ctx.Context) -> str | None:
        """Let us act for the tenant later; return a reference to that.

        With the roles he has now, no more. None where it cannot be had:
        then nobody goes on with his clusters if their engine dies.
        """
        return None

    def trusted(
        self, project_id: str, user_id: str, trust_id: str
    ) -> ctx.Context:
        """Return the context of a tenant who has entrusted us.

        Raises TrustLost if that does not hold (any more), and CloudError if
        it cannot be told now.
        """
        raise exception.TrustLost('Trusts are not to be had in this cloud')

    def end_trust(self, trust_id: str) -> None:  # noqa: B027
        """Give a trust back. Gone already is fine; never raises."""
