# SPDX-License-Identifier: Apache-2.0
"""The resource type OS::VCluster::Cluster: a cluster as Heat sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from heat.common import exception as heat_exception
from heat.engine import attributes, constraints, properties, resource

from heat_vcluster import client, exception, states
from heat_vcluster.heat import draft, snapshots

CREATE_SECONDS = 3600
UPDATE_SECONDS = 3600
DELETE_SECONDS = 1800
#: What could not be removed may be removable a little later.
DELETE_ATTEMPTS = 3

Status = states.ClusterStatus

#: While it rolls back too: its error is told once nothing is left of it.
UNDER_WAY = (
    Status.PLANNING,
    Status.CREATING,
    Status.ROLLING_BACK,
    Status.ADOPTING,
    Status.RELEASING,
)
#: A cluster in one of these is there, whatever Heat makes of it.
KEPT = states.BUILT | states.CHANGING


class ClusterFailed(heat_exception.Error):
    """The cluster is not what was asked for, and why.

    Not Heat's ResourceInError, on which Heat would delete and create the
    cluster five times more: an impossible cluster stays impossible, and the
    service has already tried again what is worth trying.
    """


@dataclasses.dataclass(slots=True)
class Removal:
    """A delete on its way.

    ``overtaken`` is the time of an ERROR that was there when the delete was
    asked for, and says nothing about it.
    """

    deadline: float  # as time.monotonic()
    attempts: int
    overtaken: str | None


@dataclasses.dataclass(slots=True)
class Update:
    """An update on its way to what ``document`` says.

    ``is_asked``: the service was asked when nothing else was under way, so
    that what it ends in is the answer. None: there is nothing to wait for.
    """

    document: Mapping[str, Any] | None
    is_asked: bool = False


class Cluster(snapshots.Snapshots):
    """Servers, volumes and networks that are placed and built as one.

    All members are placed together under the rules of the groups, their
    room is held before anything is built, and they come up together or not
    at all.
    """

    default_client_name = 'vcluster'

    #: A cluster that a check finds fault with is changed, not replaced.
    always_replace_on_check_failed = False

    #: Whether it was so when an update of it was asked for.
    _has_failed = False

    #: Members are called after it, and names end at 255 characters.
    physical_resource_name_limit = 180

    PROPERTIES = (
        NAME,
        INSTANCES,
        GROUPS,
        SURVIVE,
        UPDATE_POLICY,
        ADOPT,
        SOURCES,
        TIMEOUTS,
    ) = (
        'name',
        'instances',
        'groups',
        'survive',
        'update_policy',
        'adopt',
        'sources',
        'timeouts',
    )

    _ADOPT = (ADOPT_MEMBERS, ALLOW_DRIFTED) = ('members', 'allow_drifted')

    _TIMEOUTS = (CREATE_TIMEOUT, UPDATE_TIMEOUT, DELETE_TIMEOUT) = (
        'create',
        'update',
        'delete',
    )

    ATTRIBUTES = (
        MEMBERS,
        SERVERS,
        VOLUMES,
        NETWORKS,
        ADDRESSES,
        PLACEMENT,
        SURVIVAL,
        COMPLIANCE,
        SERVER_GROUPS,
        STATUS,
    ) = (
        'members',
        'servers',
        'volumes',
        'networks',
        'addresses',
        'placement',
        'survival',
        'compliance',
        'server_groups',
        'status',
    )

    # What an instance or a group may say is checked by the service alone,
    # so that Heat, the library and every other door refuse the same things
    # with the same words.
    properties_schema = {
        NAME: properties.Schema(
            properties.Schema.STRING,
            'Name of the cluster; by default made of those of the stack and '
            'the resource. What the cluster is made of keeps the names that '
            'it was given.',
            update_allowed=True,
        ),
        INSTANCES: properties.Schema(
            properties.Schema.LIST,
            'The members: a list of maps with name, type (server, volume or '
            'network), count, spec and depends_on. An update changes each '
            'member in place where the services can; where they cannot it '
            'builds a new one beside it if update_policy allows that. All of '
            'it or nothing.',
            required=True,
            update_allowed=True,
            constraints=[constraints.Length(min=1)],
            schema=properties.Schema(
                properties.Schema.MAP,
                'One member, or with a count above one several alike.',
            ),
        ),
        GROUPS: properties.Schema(
            properties.Schema.LIST,
            'The rules for their placement: a list of maps with name, spec '
            "(policy, scope, strict or weight, and the policy's own keys: "
            'spread has max_per_domain, max_skew, min_domains and domains; '
            'proximity has at_least and no scope; survive has lose and keep) '
            'and members (names of instances or of other groups). The '
            'policies are affinity, anti-affinity, spread, exclusive, '
            'proximity, survive, and any other that is installed.',
            default=[],
            update_allowed=True,
            schema=properties.Schema(
                properties.Schema.MAP, 'Members under one policy.'
            ),
        ),
        SURVIVE: properties.Schema(
            properties.Schema.LIST,
            'What the cluster survives: a list of maps with lose (such as '
            '1 rack, or a map of count and scope), keep (a map of names of '
            'instances or groups to a number of their members, or to a share '
            'such as 60%) and strict or weight.',
            default=[],
            update_allowed=True,
            schema=properties.Schema(
                properties.Schema.MAP,
                'A loss, and what is left then at the least.',
            ),
        ),
        UPDATE_POLICY: properties.Schema(
            properties.Schema.MAP,
            'What an update may replace: a map of replace_on (a list of '
            'properties such as image, or any; without it a change that '
            'cannot be made in place is refused), and, for a few at a time, '
            'batch_size, min_in_service and pause_seconds; with '
            'allow_drifted also rules that those that run break.',
            update_allowed=True,
        ),
        ADOPT: properties.Schema(
            properties.Schema.MAP,
            'Servers and volumes that are there already and become the '
            'members, in place of new ones: all of them, and as the document '
            'says they are. It counts when the resource is created, and not '
            'afterwards; a delete of the resource removes them too.',
            schema={
                ADOPT_MEMBERS: properties.Schema(
                    properties.Schema.MAP,
                    'Name of a member -> ID or name of what it is.',
                    required=True,
                    update_allowed=True,
                ),
                ALLOW_DRIFTED: properties.Schema(
                    properties.Schema.BOOLEAN,
                    'Also if strict rules do not hold where they are.',
                    default=False,
                    update_allowed=True,
                ),
            },
            update_allowed=True,
        ),
        SOURCES: properties.Schema(
            properties.Schema.MAP,
            'What single members are made of in place of what their instance '
            'says, as a snapshot has it: a map of names of members to a map '
            'of image or snapshot_id.',
            update_allowed=True,
        ),
        TIMEOUTS: properties.Schema(
            properties.Schema.MAP,
            "How long the whole may take. The stack's own timeout counts "
            'as well.',
            schema={
                CREATE_TIMEOUT: properties.Schema(
                    properties.Schema.INTEGER,
                    'Seconds until an unfinished cluster is taken back.',
                    default=CREATE_SECONDS,
                    constraints=[constraints.Range(min=1)],
                    update_allowed=True,
                ),
                UPDATE_TIMEOUT: properties.Schema(
                    properties.Schema.INTEGER,
                    'Seconds until an unfinished update is taken back.',
                    default=UPDATE_SECONDS,
                    constraints=[constraints.Range(min=1)],
                    update_allowed=True,
                ),
                DELETE_TIMEOUT: properties.Schema(
                    properties.Schema.INTEGER,
                    'Seconds until an unfinished removal counts as failed.',
                    default=DELETE_SECONDS,
                    constraints=[constraints.Range(min=1)],
                    update_allowed=True,
                ),
            },
            default={},
            update_allowed=True,
        ),
    }

    # None is cached: members change without Heat.
    attributes_schema = {
        MEMBERS: attributes.Schema(
            'Name of a member -> map of id, type, status, name, addresses '
            '(list) and domains (level -> pseudonym, e.g. rack: rack-1; '
            'equal means same).',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        SERVERS: attributes.Schema(
            'Name of a server member -> id of the server.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        VOLUMES: attributes.Schema(
            'Name of a volume member -> id of the volume.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        NETWORKS: attributes.Schema(
            'Name of a network member -> id of the network.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        ADDRESSES: attributes.Schema(
            'Name of a server member -> its addresses, floating ones last.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        PLACEMENT: attributes.Schema(
            'How the cluster is placed: soft_cost; given_up, a list of the '
            'wishes not met, each with group, violation, cost and where; '
            'not_applied, a list of group and member where a group could not '
            'count a volume. No host or rack by its real name.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        SURVIVAL: attributes.Schema(
            'What each loss of the property survive leaves, measured where '
            'the members are: a list of maps with lose, keep, left (name -> '
            'map of least, total and unknown), holds, and says, the same in '
            'words.',
            type=attributes.Schema.LIST,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        COMPLIANCE: attributes.Schema(
            'What the last check found: status (COMPLIANT, DRIFTED or '
            'DEGRADED), checked_at, rules that do not hold where members '
            'are now, members that are not what they should be.',
            type=attributes.Schema.MAP,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        SERVER_GROUPS: attributes.Schema(
            "Which rules over hosts nova's own server groups hold as well: a "
            'list of maps with group, held, and why if one is not.',
            type=attributes.Schema.LIST,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
        STATUS: attributes.Schema(
            'Status of the cluster, e.g. ACTIVE.',
            type=attributes.Schema.STRING,
            cache_mode=attributes.Schema.CACHE_NONE,
        ),
    }

    # Validation

    def validate(self) -> Any:
        result = super().validate()
        sketch = draft.of(self._document_of(self.properties.data))
        if sketch.can_be_checked:
            self._refuse_faults(sketch, self.client().validate)
        return result

    def _refuse_faults(
        self, sketch: draft.Draft, check: Callable[[Any], None]
    ) -> None:
        try:
            check(sketch.document)
        except exception.InvalidDocument as error:
            faults = sketch.certain(error.faults)
            if faults:
                raise heat_exception.StackValidationFailed(
                    error='Invalid cluster',
                    path=[self.stack.t.RESOURCES, self.name, 'properties'],
                    message=str(exception.InvalidDocument(faults)),
                ) from error

    def _document_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document among properties, raw ones, or in a view."""
        parts = (
            self.NAME,
            self.INSTANCES,
            self.GROUPS,
            self.SURVIVE,
            self.UPDATE_POLICY,
            self.SOURCES,
        )
        return {
            key: values[key]
            for key in parts
            if key in values and values[key] is not None
        }

    # Create

    def handle_create(self) -> str:
        document = self._document_of(self.properties)
        document.setdefault(self.NAME, self.physical_resource_name())
        cluster_id = str(uuid.uuid4())
        # Kept before the call: whatever happens then, delete finds it.
        self.resource_id_set(cluster_id)
        seconds = self._timeout(self.CREATE_TIMEOUT)
        there = self.properties[self.ADOPT]
        if there is None:
            self.client().create(
                document, cluster_id=cluster_id, timeout=seconds
            )
        else:
            self.client().adopt(
                document,
                there[self.ADOPT_MEMBERS],
                allow_drifted=there[self.ALLOW_DRIFTED],
                cluster_id=cluster_id,
                timeout=seconds,
            )
        return cluster_id

    def check_create_complete(self, cluster_id: str) -> bool:
        view = self.client().show(cluster_id)
        if view['status'] in UNDER_WAY:
            return False
        if view['status'] not in states.BUILT:
            raise ClusterFailed(_failure(view))
        return True

    def handle_create_cancel(self, cluster_id: str) -> None:
        """Stop the build; also called when the stack's time is up."""
        self._ask_to_delete()

    # Delete

    def handle_delete(self) -> Removal | None:
        seconds = self._timeout(self.DELETE_TIMEOUT)
        return self._remove(time.monotonic() + seconds, attempts=1)

    def check_delete_complete(self, removal: Removal | None) -> bool:
        if removal is None:
            return True
        view = self._view_if_any()
        if view is None:
            return True
        if _is_news(view, removal):
            return self._ask_again(removal, view)
        if time.monotonic() > removal.deadline:
            raise ClusterFailed(
                f'The cluster is still {view["status"]}; its removal goes on'
            )
        return False

    def _ask_again(self, removal: Removal, view: client.View) -> bool:
        """Repeat a delete: the build it met has ended, or things are left."""
        if removal.attempts >= DELETE_ATTEMPTS:
            raise ClusterFailed(_failure(view))
        again = self._remove(removal.deadline, removal.attempts + 1)
        if again is None:
            return True
        removal.attempts = again.attempts
        removal.overtaken = again.overtaken
        return False

    def _remove(self, deadline: float, attempts: int) -> Removal | None:
        """Ask for the removal; None if there is nothing to wait for."""
        self._ask_to_delete()
        view = self._view_if_any()
        if view is None:
            return None
        is_error = view['status'] == Status.ERROR
        overtaken = view['updated_at'] if is_error else None
        return Removal(deadline, attempts, overtaken)

    def _ask_to_delete(self) -> None:
        if self.resource_id is not None:
            with self.client_plugin().ignore_not_found:
                self.client().delete(self.resource_id)

    def _view_if_any(self) -> client.View | None:
        if self.resource_id is None:
            return None
        with self.client_plugin().ignore_not_found:
            return self._show_resource()
        return None

    # Other actions

    def handle_check(self) -> None:
        self.client().check(self.resource_id)

    def check_check_complete(self, _: Any) -> bool:
        view = self._view_once_settled()
        if view is None:
            return False
        faults = [
            f'member {fault["member"]}: {fault["reason"]}'
            for fault in view['compliance']['members']
        ]
        faults += [
            f'group {rule["group"]} does not hold for '
            f'{", ".join(rule["members"])}'
            for rule in view['compliance']['rules']
        ]
        if faults:
            raise ClusterFailed(
                f'The cluster is {view["compliance"]["status"]}: '
                f'{"; ".join(faults)}'
            )
        return True

    def handle_suspend(self) -> None:
        self.client().suspend(self.resource_id)

    def check_suspend_complete(self, _: Any) -> bool:
        return self._view_once_settled() is not None

    def handle_resume(self) -> None:
        self.client().resume(self.resource_id)

    def check_resume_complete(self, _: Any) -> bool:
        return self._view_once_settled() is not None

    def _view_once_settled(self) -> client.View | None:
        """Return what came of an action; None while it goes on.

        Raises ClusterFailed if it could not be done.
        """
        view = self._show_resource()
        if view['status'] not in states.SETTLED:
            return None
        if view['error_code'] is not None:
            raise ClusterFailed(_failure(view))
        return view

    # Update

    def _needs_update(self, *args: Any, **kwargs: Any) -> bool:
        """After a failure ask even for what Heat takes to be there.

        What was to be taken back may have been complete by then.
        """
        is_other: bool = super()._needs_update(*args, **kwargs)
        # By the time of the update itself it is IN_PROGRESS.
        self._has_failed = self.status == self.FAILED
        return is_other or self._has_failed

    def handle_update(
        self, json_snippet: Any, tmpl_diff: Any, prop_diff: Any
    ) -> Update:
        """Let the cluster become what the template says now.

        It is never replaced as a whole. New timeouts alone count from the
        next action on; what was adopted stays so. A rollback of Heat's comes
        here too, with what the template said before. After a failure it is
        not known what the cluster is, so the service is asked in any case.
        """
        is_same = prop_diff.keys() <= {self.TIMEOUTS, self.ADOPT}
        if prop_diff and is_same and not self._has_failed:
            return Update(None)
        wanted = json_snippet.properties(self.properties_schema, self.context)
        document = self._document_of(wanted)
        document.setdefault(self.NAME, self.physical_resource_name())
        update = Update(document)
        self._ask_to_change(update, wanted[self.TIMEOUTS])
        return update

    def _ask_to_change(
        self, update: Update, timeouts: Mapping[str, Any]
    ) -> None:
        """Ask now; or, if another update is under way, take that back first.

        Which the service does if what it is asked for is what it had. While
        it is at something else, a check say, it is asked once that is over.
        """
        view = self.client().show(self.resource_id)
        if view['status'] == Status.ACTIVE:
            # Something else may have begun since.
            with contextlib.suppress(exception.NotChangeable):
                self.client().update(
                    self.resource_id,
                    document=update.document,
                    timeout=int(timeouts[self.UPDATE_TIMEOUT]),
                )
                update.is_asked = True
        elif view['status'] == Status.UPDATING:
            self._take_back(view)

    def _take_back(self, view: client.View) -> None:
        """Ask for what the cluster has; too late is no error."""
        before = self._document_of(view)
        with contextlib.suppress(exception.NotChangeable):
            self.client().update(self.resource_id, document=before)

    def preview_update(
        self,
        after: Any,
        before: Any,
        after_props: Any,
        *others: Any,
        **options: Any,
    ) -> Any:
        """As ever, but what an update would refuse the preview does."""
        is_other = super().preview_update(
            after, before, after_props, *others, **options
        )
        if is_other and self.resource_id is not None:
            sketch = draft.of(self._document_of(after_props.data))
            if sketch.can_be_checked:
                self._refuse_faults(sketch, self._check_change)
        return is_other

    def _check_change(self, document: Mapping[str, Any]) -> None:
        with contextlib.suppress(exception.NotChangeable):
            self.client().plan(document, cluster_id=self.resource_id)

    def check_update_complete(self, update: Update) -> bool:
        if update.document is None:
            return True
        view = self.client().show(self.resource_id)
        if view['status'] in states.IN_PROGRESS:
            return False
        if view['status'] != Status.ACTIVE:
            raise ClusterFailed(_failure(view))
        if not update.is_asked:
            self._ask_to_change(update, self.properties[self.TIMEOUTS])
            return False
        if view['error_code'] not in (None, states.LEFTOVERS):
            raise ClusterFailed(_failure(view))
        return True

    def handle_update_cancel(self, update: Update) -> None:
        """Have what is under way taken back; it goes on without us."""
        view = self._view_if_any()
        if view is not None and view['status'] == Status.UPDATING:
            self._take_back(view)

    def needs_replace_failed(self) -> bool:
        """Keep a cluster that is there although Heat lost sight of it.

        After a failed update it is what it was before.
        """
        view = self._view_if_any()
        return view is None or view['status'] not in KEPT

    # Attributes

    def _resolve_attribute(self, name: str) -> Any:
        if self.resource_id is None:
            return None
        return _ATTRIBUTES[name](self.client().show(self.resource_id))

    def _show_resource(self) -> client.View:
        view: client.View = self.client().show(self.resource_id)
        return view

    def parse_live_resource_data(
        self, resource_properties: Any, resource_data: Any
    ) -> dict[str, Any]:
        """Nothing that may be updated has a state outside of Heat."""
        return {}

    def _timeout(self, action: str) -> int:
        return int(self.properties[self.TIMEOUTS][action])


def _is_news(view: client.View, removal: Removal) -> bool:
    """Tell whether the cluster went into ERROR since the delete."""
    if view['status'] != Status.ERROR:
        return False
    return bool(view['updated_at'] != removal.overtaken)


def _failure(view: client.View) -> str:
    """Say why; the service's reason names what is left, if anything is."""
    return str(view['status_reason'] or f'The cluster is {view["status"]}')


def _ids(member_type: str) -> Callable[[client.View], dict[str, str]]:
    def ids(view: client.View) -> dict[str, str]:
        return {
            name: member['id']
            for name, member in view['members'].items()
            if member['type'] == member_type
        }

    return ids


def _addresses(view: client.View) -> dict[str, list[str]]:
    return {
        name: list(member['addresses'])
        for name, member in view['members'].items()
        if member['type'] == 'server'
    }


_ATTRIBUTES: dict[str, Callable[[client.View], Any]] = {
    Cluster.MEMBERS: lambda view: view['members'],
    Cluster.SERVERS: _ids('server'),
    Cluster.VOLUMES: _ids('volume'),
    Cluster.NETWORKS: _ids('network'),
    Cluster.ADDRESSES: _addresses,
    Cluster.PLACEMENT: lambda view: view['placement'],
    Cluster.SURVIVAL: lambda view: view['survival'],
    Cluster.COMPLIANCE: lambda view: view['compliance'],
    Cluster.SERVER_GROUPS: lambda view: view['server_groups'],
    Cluster.STATUS: lambda view: view['status'],
}


def resource_mapping() -> dict[str, type[resource.Resource]]:
    return {'OS::VCluster::Cluster': Cluster}
