# SPDX-License-Identifier: Apache-2.0
"""The way from a written document to a :class:`model.GroupSpec`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from heat_vcluster import exception, registry
from heat_vcluster.spec import (
    build,
    checks,
    draft,
    faults,
    model,
    reader,
    schema,
    shape,
    spellings,
)
from heat_vcluster.spec.checks import groups

MAX_MEMBERS = 1000
MAX_SIZE = 64 * 1024 * 1024  # characters, counted instances written out
MAX_PLACES = 10**6  # of members in groups, by whatever groups

Source = Mapping[str, Any] | str | os.PathLike[str]


def load(
    source: Source,
    *,
    scopes: Iterable[str] | None = None,
    policies: Mapping[str, Any] | None = None,
    max_members: int = MAX_MEMBERS,
) -> model.GroupSpec:
    """Return what a document asks for.

    ``source`` is a mapping, YAML or JSON text, or the path of a file (as
    ``os.PathLike``; a ``str`` is always text). With ``scopes`` a group may
    name these levels only; ``policies`` are the kinds of rules by name, by
    default all that are installed.

    Raises InvalidDocument with all faults, and OSError for a file that
    cannot be opened.
    """
    if policies is None:
        policies = registry.load('policies')
    found = faults.Faults()
    document = spellings.canonical(_values(source, found), found)
    shaped = shape.check(document, schema.document(policies, scopes), found)
    _refuse_too_many(shaped.document, max_members, found)
    written_out = draft.make(shaped)
    _refuse_too_deep(written_out, found)
    for check in (*checks.CHECKS, *_group_checks(policies)):
        found.extend(check(written_out))
    if found:
        raise found.error()
    return build.group_spec(written_out, policies)


def _values(source: Source, found: faults.Faults) -> Any:
    try:
        return reader.plain(reader.read(source), found)
    except reader.Unreadable as error:
        fault = exception.Fault('', str(error))
        raise exception.InvalidDocument([fault]) from error


def _refuse_too_many(
    document: Mapping[str, Any], most: int, found: faults.Faults
) -> None:
    """Refuse at once: to write out so many copies would cost too much."""
    members = draft.total(document)
    if members > most:
        message = f'there are {members} members; at most {most} are allowed'
        found.add(('instances',), message)
        raise found.error()
    if draft.size(document) > MAX_SIZE:
        message = 'the copies together are too large; make their specs smaller'
        found.add(('instances',), message)
        raise found.error()


def _refuse_too_deep(written_out: draft.Draft, found: faults.Faults) -> None:
    """Refuse groups of groups that come to more than single ones can."""
    places = sum(
        len(written_out.below(name))
        for group in written_out.groups
        for _, name in group.entries()
    )
    if places > MAX_PLACES:
        message = (
            f'all groups together have {places} members, each counted '
            f'wherever it is in one; at most {MAX_PLACES} are allowed'
        )
        found.add(('groups',), message)
        raise found.error()


def _group_checks(policies: Mapping[str, Any]) -> tuple[checks.Check, ...]:
    disjoint = (
        name
        for name, policy in policies.items()
        if getattr(policy, 'disjoint_units', False)
    )
    return (
        groups.members,
        groups.strictness,
        groups.cycles,
        groups.overlaps(disjoint),
    )
