# SPDX-License-Identifier: Apache-2.0
"""Who may do what, unless the operator's policy file says otherwise.

A reader sees what his project has, a member changes it, an administrator
sees, changes and deletes what any project has. To plan and to build takes
the tenant's own rights in the cloud: a token of the very project.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from oslo_config import cfg
from oslo_policy import policy

from heat_vcluster import exception

FILE_OPTION = '[oslo_policy]/policy_file'
ADMIN = 'rule:vcluster:admin'
READER = 'rule:vcluster:reader'
MEMBER = 'rule:vcluster:member'
OWN_MEMBER = 'rule:vcluster:own_member'

_CLUSTERS = '/v2/{project_id}/vclusters'
_CLUSTER = f'{_CLUSTERS}/{{cluster_id}}'
_SNAPSHOTS = f'{_CLUSTER}/snapshots'
_SNAPSHOT = f'{_SNAPSHOTS}/{{snapshot_id}}'
_PLANS = f'{_CLUSTERS}/plan'
_PLAN = f'{_PLANS}/{{plan_id}}'

BASE = (
    policy.RuleDefault(
        'vcluster:admin', 'role:admin', 'An administrator of the cloud'
    ),
    policy.RuleDefault(
        'vcluster:reader',
        '(role:reader and project_id:%(project_id)s) or role:admin',
        'Who may look at what a project has',
    ),
    policy.RuleDefault(
        'vcluster:own_member',
        'role:member and project_id:%(project_id)s',
        'Who may act in the project of his token',
    ),
    policy.RuleDefault(
        'vcluster:member',
        '(role:member and project_id:%(project_id)s) or role:admin',
        'Who may change what a project has',
    ),
)


def _rule(
    name: str, check: str, description: str, *operations: tuple[str, str]
) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        f'vcluster:{name}',
        check,
        description,
        [{'method': method, 'path': path} for method, path in operations],
        scope_types=['project'],
    )


RULES = (
    _rule(
        'clusters:create', OWN_MEMBER, 'Create a cluster', ('POST', _CLUSTERS)
    ),
    _rule(
        'clusters:adopt',
        OWN_MEMBER,
        'Bring what is there under a cluster',
        ('POST', f'{_CLUSTERS}/adopt'),
    ),
    _rule(
        'clusters:list',
        READER,
        "List a project's clusters",
        ('GET', _CLUSTERS),
    ),
    _rule(
        'clusters:list_all',
        ADMIN,
        'List the clusters of all projects',
        ('GET', f'{_CLUSTERS}?all_projects=true'),
    ),
    _rule('clusters:show', READER, 'Show a cluster', ('GET', _CLUSTER)),
    _rule(
        'clusters:update',
        MEMBER,
        "Change a cluster's name, metadata and tags",
        ('PUT', _CLUSTER),
    ),
    _rule(
        'clusters:change',
        OWN_MEMBER,
        'Let a cluster become what another document says',
        ('PUT', _CLUSTER),
    ),
    _rule(
        'clusters:delete',
        MEMBER,
        'Delete a cluster',
        ('DELETE', _CLUSTER),
    ),
    _rule(
        'clusters:release',
        MEMBER,
        'Give a cluster up, and leave its members alone',
        ('POST', f'{_CLUSTER}/actions/release'),
    ),
    _rule(
        'clusters:check',
        MEMBER,
        "Check a cluster's members, and its rules where they are",
        ('POST', f'{_CLUSTER}/actions/check'),
    ),
    _rule(
        'clusters:heal',
        MEMBER,
        'Make lost servers of a cluster again',
        ('POST', f'{_CLUSTER}/actions/heal'),
    ),
    _rule(
        'clusters:repair',
        MEMBER,
        "Move a cluster's servers back into its rules",
        ('POST', f'{_CLUSTER}/actions/repair'),
    ),
    _rule(
        'clusters:stop',
        MEMBER,
        "Stop a cluster's servers",
        ('POST', f'{_CLUSTER}/actions/stop'),
    ),
    _rule(
        'clusters:start',
        MEMBER,
        "Start a cluster's servers",
        ('POST', f'{_CLUSTER}/actions/start'),
    ),
    _rule(
        'clusters:suspend',
        MEMBER,
        "Suspend a cluster's servers",
        ('POST', f'{_CLUSTER}/actions/suspend'),
    ),
    _rule(
        'clusters:resume',
        MEMBER,
        "Resume a cluster's servers",
        ('POST', f'{_CLUSTER}/actions/resume'),
    ),
    _rule(
        'clusters:validate',
        READER,
        'Check a document',
        ('POST', f'{_CLUSTERS}/validate'),
    ),
    _rule(
        'plans:create',
        OWN_MEMBER,
        'Plan a cluster, and hold the room if asked to',
        ('POST', _PLANS),
    ),
    _rule('plans:show', READER, 'Show a held plan', ('GET', _PLAN)),
    _rule(
        'plans:delete',
        MEMBER,
        'Release a held plan',
        ('DELETE', _PLAN),
    ),
    _rule(
        'members:list',
        READER,
        "List a cluster's members",
        ('GET', f'{_CLUSTER}/members'),
    ),
    _rule(
        'members:show',
        READER,
        'Show a member',
        ('GET', f'{_CLUSTER}/members/{{name}}'),
    ),
    _rule(
        'events:list',
        READER,
        'List what happened to a cluster',
        ('GET', f'{_CLUSTER}/events'),
    ),
    _rule(
        'snapshots:create',
        MEMBER,
        'Make a snapshot of a cluster',
        ('POST', _SNAPSHOTS),
    ),
    _rule(
        'snapshots:list',
        READER,
        "List a cluster's snapshots",
        ('GET', _SNAPSHOTS),
    ),
    _rule('snapshots:show', READER, 'Show a snapshot', ('GET', _SNAPSHOT)),
    _rule(
        'snapshots:restore',
        OWN_MEMBER,
        'Let a cluster become what it was at a snapshot',
        ('POST', f'{_SNAPSHOT}/restore'),
    ),
    _rule(
        'snapshots:delete',
        MEMBER,
        'Delete a snapshot',
        ('DELETE', _SNAPSHOT),
    ),
    _rule(
        'topology:show',
        READER,
        "Show where a cluster's members are, in pseudonyms",
        ('GET', f'{_CLUSTER}/topology'),
    ),
    _rule(
        'limits:show',
        READER,
        "Show a project's limits and what it uses of them",
        ('GET', '/v2/{project_id}/limits'),
    ),
)


def list_rules() -> Iterator[policy.RuleDefault]:
    """The entry point of oslopolicy-sample-generator."""
    yield from BASE
    yield from RULES


def enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return what judges by our rules and the operator's policy file.

    Raises InvalidConfiguration for a file that is none, or that the
    operator named and that is not there: without it more may be allowed.
    """
    made = policy.Enforcer(conf)
    made.register_defaults(list_rules())
    found = conf.find_file(made.policy_file)
    whence = conf.get_location('policy_file', 'oslo_policy').location
    if found is None and whence is not cfg.Locations.opt_default:
        raise exception.InvalidConfiguration(
            f'{FILE_OPTION}: there is no {made.policy_file!r}'
        )
    try:
        if found is not None:
            pathlib.Path(found).read_bytes()  # oslo.policy would only log it
        made.load_rules()
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise exception.InvalidConfiguration(
            f'{FILE_OPTION}: {made.policy_file!r} is not YAML of rules: '
            f'{" ".join(str(error).split())}'
        ) from error
    return made
