# SPDX-License-Identifier: Apache-2.0
"""Every fact that can go wrong, one class each, with a stable code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

# How many of the changes that would fit are told in one message.
REPAIRS_TOLD = 3


class VClusterError(Exception):
    """The root of all errors of this package.

    ``code`` is stable and meant for programs; ``str(error)`` is meant for
    people and never holds a secret, a host name or a capacity.
    ``request_id`` is known of an error that a service elsewhere has told.
    """

    code = 'vcluster.error'
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a document: where, what, and what would be right.

    ``path`` is written as ``instances[3].spec.flavor``; the empty path is
    the document itself.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f'{self.path or "document"}: {self.message}'


class InvalidDocument(VClusterError):
    """The document cannot be meant; ``faults`` has all that was found."""

    code = 'vcluster.invalid_document'
    subject = 'document'

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = (
            f'{count} fault{"" if count == 1 else "s"} in the {self.subject}'
        )
        super().__init__('\n'.join([head, *map(str, self.faults)]))


class InvalidRequest(InvalidDocument):
    """A request cannot be meant, for what is around its document."""

    code = 'vcluster.invalid_request'
    subject = 'request'


class Unauthorized(VClusterError):
    """It is not known who asks."""

    code = 'vcluster.unauthorized'

    def __init__(self) -> None:
        super().__init__('The request needs a valid token')


class NotAllowed(VClusterError):
    """Whoever asks has not the role for it."""

    code = 'vcluster.not_allowed'

    def __init__(self) -> None:
        super().__init__('Your roles in the project do not allow this')


class ProjectNotFound(VClusterError):
    """There is no such project, or whoever asks has nothing to do in it."""

    code = 'vcluster.project_not_found'

    def __init__(self, project_id: str) -> None:
        super().__init__(f'Project {project_id} could not be found')


class NoValidPlacement(VClusterError):
    """No placement obeys the rules; ``reasons`` are the tenant's to read.

    ``proven`` tells a proof from a search that ran out of time;
    ``repairs`` are changes that would fit now, the least first, the
    tenant's to read as well; ``operator_reasons`` may name hosts and numbers
    and go to logs only.
    """

    code = 'vcluster.no_valid_placement'

    def __init__(
        self,
        reasons: Iterable[str],
        *,
        rules: Iterable[str] = (),
        proven: bool = True,
        operator_reasons: Iterable[str] = (),
        repairs: Iterable[str] = (),
    ) -> None:
        self.reasons = tuple(reasons)
        self.rules = tuple(rules)
        self.proven = proven
        self.operator_reasons = tuple(operator_reasons)
        self.repairs = tuple(repairs)
        head = (
            'No placement obeys these rules together'
            if proven
            else 'No placement was found in the time allowed'
        )
        instead = ''
        if self.repairs:
            instead = '. What would fit: ' + '; or '.join(
                self.repairs[:REPAIRS_TOLD]
            )
        super().__init__(f'{head}: ' + '; '.join(self.reasons) + instead)

    def because(self, reason: str) -> NoValidPlacement:
        """Return the same refusal with one more reason."""
        return NoValidPlacement(
            (*self.reasons, reason),
            rules=self.rules,
            proven=self.proven,
            operator_reasons=self.operator_reasons,
            repairs=self.repairs,
        )


class InvalidPlan(VClusterError):
    """The independent check refused a plan: a defect of the solver."""

    code = 'vcluster.invalid_plan'

    def __init__(self, violations: Iterable[str]) -> None:
        self.violations = tuple(violations)
        super().__init__(
            'A computed plan broke its own rules and was not used'
        )


class ReservationConflict(VClusterError):
    """The planned room is gone; nothing is held. A new plan may fit."""

    code = 'vcluster.reservation_conflict'


class CloudError(VClusterError):
    """A service of the cloud refused or failed; carries its own reason."""

    code = 'vcluster.cloud_error'

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        self.reason = reason
        super().__init__(f'{service}: {reason}')


class CloudForbidden(CloudError):
    """A service refused for lack of rights."""

    code = 'vcluster.forbidden'


class QuotaExceeded(CloudError):
    """A quota of the tenant is used up."""

    code = 'vcluster.quota_exceeded'


class MemberFailed(VClusterError):
    """A member could not be built; names it and the service's reason.

    ``code`` is that of the cause, where it has one of its own.
    """

    code = 'vcluster.member_failed'

    def __init__(
        self, member: str, reason: str, *, code: str | None = None
    ) -> None:
        self.member = member
        self.reason = reason
        self.code = code or self.code
        super().__init__(f'member {member}: {reason}')


class Cancelled(VClusterError):
    """The operation was stopped on request."""

    code = 'vcluster.cancelled'


class TimedOut(VClusterError):
    """The operation passed its deadline."""

    code = 'vcluster.timed_out'


class ClusterNotFound(VClusterError):
    """There is no such cluster, or it belongs to another project."""

    code = 'vcluster.not_found'

    def __init__(self, cluster_id: str) -> None:
        super().__init__(f'Cluster {cluster_id} could not be found')


class MemberNotFound(VClusterError):
    """The cluster has no member of that name."""

    code = 'vcluster.member_not_found'

    def __init__(self, cluster_id: str, name: str) -> None:
        super().__init__(f'Cluster {cluster_id} has no member {name}')


class SnapshotNotFound(VClusterError):
    """The cluster has no such snapshot."""

    code = 'vcluster.snapshot_not_found'

    def __init__(self, cluster_id: str, snapshot_id: str) -> None:
        super().__init__(f'Cluster {cluster_id} has no snapshot {snapshot_id}')


class SnapshotExists(VClusterError):
    """The chosen id is taken by another snapshot."""

    code = 'vcluster.snapshot_exists'

    def __init__(self, snapshot_id: str) -> None:
        super().__init__(f'There is another snapshot {snapshot_id}')


class SnapshotNotReady(VClusterError):
    """A snapshot is not made yet, or could not be."""

    code = 'vcluster.snapshot_not_ready'

    def __init__(self, snapshot_id: str, status: str) -> None:
        super().__init__(f'Snapshot {snapshot_id} is {status}')


class HasSnapshots(VClusterError):
    """Snapshots end with their cluster, and are not to be left behind."""

    code = 'vcluster.has_snapshots'

    def __init__(self, cluster_id: str) -> None:
        super().__init__(
            f'Cluster {cluster_id} has snapshots: delete those first'
        )


class SnapshotLeft(VClusterError):
    """Something of a snapshot could not be removed."""

    code = 'vcluster.snapshot_left'

    def __init__(self, snapshot_id: str, reason: str) -> None:
        super().__init__(f'snapshot {snapshot_id}: {reason}')


class PlanNotFound(VClusterError):
    """There is no such held plan, or it belongs to another project."""

    code = 'vcluster.plan_not_found'

    def __init__(self, plan_id: str) -> None:
        super().__init__(f'Plan {plan_id} could not be found')


class PlanExpired(VClusterError):
    """The plan was held for its time; the room is free for all again."""

    code = 'vcluster.plan_expired'

    def __init__(self, plan_id: str) -> None:
        super().__init__(f'Plan {plan_id} is no longer held')


class LimitExceeded(VClusterError):
    """The project would have more than this service allows it."""

    code = 'vcluster.limit_exceeded'

    def __init__(
        self, resource: str, limit: int, used: int, asked: int
    ) -> None:
        self.resource = resource
        self.limit = limit
        self.used = used
        self.asked = asked
        super().__init__(
            f'{asked} more of {resource.replace("_", " ")} would be over the '
            f"project's limit of {limit}; {used} are in use"
        )


class TrustRefused(VClusterError):
    """The user did not, or cannot, let the service act for him later."""

    code = 'vcluster.trust_refused'


class NotEntrusted(VClusterError):
    """Who asks is not of the project, and its user has not entrusted us."""

    code = 'vcluster.not_entrusted'


class Interrupted(VClusterError):
    """An engine died at work, and nobody may go on in the user's name."""

    code = 'vcluster.interrupted'


class TrustLost(VClusterError):
    """The service may no longer act for the user of a cluster."""

    code = 'vcluster.trust_lost'


class ClusterFailed(VClusterError):
    """A cluster ended in ERROR; ``view`` is the whole of it."""

    code = 'vcluster.failed'

    def __init__(self, view: dict[str, Any]) -> None:
        self.view = view
        super().__init__(view['status_reason'] or 'The cluster has failed')


class ClusterExists(VClusterError):
    """The chosen id is taken by a different cluster."""

    code = 'vcluster.exists'


class WrongStatus(VClusterError):
    """What a cluster is just now does not allow what was asked."""

    code = 'vcluster.wrong_status'

    def __init__(
        self, cluster_id: str, status: str, homes: Iterable[str]
    ) -> None:
        super().__init__(
            f'Cluster {cluster_id} is {status}; for this it has to be '
            f'{" or ".join(sorted(map(str, homes)))}'
        )


class NotChangeable(VClusterError):
    """The cluster is in a state in which it cannot become another one."""

    code = 'vcluster.not_changeable'


class RulesBroken(VClusterError):
    """Strict rules do not hold where the members are; ``reasons`` say which.

    The tenant's to read: no real name of a place is among them.
    """

    code = 'vcluster.rules_broken'

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            'Rules do not hold where the members are: '
            + '; '.join(self.reasons)
        )


class ClusterBusy(VClusterError):
    """Another engine is at work on the cluster."""

    code = 'vcluster.busy'


class LeaseLost(VClusterError):
    """This engine no longer owns the cluster; its writes are refused."""

    code = 'vcluster.lease_lost'


class IllegalMove(VClusterError):
    """A status was to change in a way its table does not have: a defect."""

    code = 'vcluster.illegal_move'


class InvalidConfiguration(VClusterError):
    """The operator's configuration cannot be meant."""

    code = 'vcluster.invalid_configuration'


class ServiceUnavailable(VClusterError):
    """The service did not answer, or not yet; nothing is known to be done."""

    code = 'vcluster.unavailable'


class ServiceError(VClusterError):
    """The service told of an error that has no class here; it has its code."""

    code = 'vcluster.service_error'

    def __init__(self, message: str, code: str | None) -> None:
        self.code = code or self.code
        super().__init__(message)
