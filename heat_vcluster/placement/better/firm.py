# SPDX-License-Identifier: Apache-2.0
"""Soft clauses made hard, as far as a placement obeys them.

What obeys them then costs no more than that placement, which does obey them
(nearly: a unit that may be in several places at once can cost more). Of a
clause that is broken what is in order is kept: that is more than keeping its
amount would ask, except where nothing is broken.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from heat_vcluster.placement import constraints
from heat_vcluster.placement.columns import UNKNOWN, Ints
from heat_vcluster.placement.numbers import amounts
from heat_vcluster.placement.numbers.compiled import Clause, Compiled


def firm(compiled: Compiled, placement: Ints) -> Compiled:
    """Return the problem without soft clauses, and with more hard ones.

    Every placement of it is one of the whole. Where this one costs nothing,
    those of it are those that cost nothing, all of them.
    """
    found = _harder(
        compiled,
        (
            clause
            for soft in compiled.soft
            for clause in _kept(compiled, soft, placement)
            if clause.members
        ),
    )
    found.soft = ()
    return found


def wishful(
    compiled: Compiled, wanted: Sequence[tuple[Clause, int]]
) -> Compiled:
    """Return the problem with soft clauses no more broken than is wanted.

    As far as a hard clause says that; all soft ones are still there.
    """
    return _harder(
        compiled,
        (
            clause
            for soft, broken in wanted
            for clause in _wished(compiled, soft, broken)
        ),
    )


def certain(
    compiled: Compiled, broken: Sequence[tuple[Clause, int]]
) -> Compiled:
    """Return a problem of which all are that break these by no more.

    It has no soft clauses, and more hard ones.
    """
    found = _harder(
        compiled,
        (
            clause
            for soft, most in broken
            for clause in _bounded(compiled, soft, most) or ()
        ),
    )
    found.soft = ()
    return found


def _harder(compiled: Compiled, clauses: Iterable[Clause]) -> Compiled:
    """Return the problem with these as hard clauses, too."""
    found = copy.copy(compiled)
    kept = (dataclasses.replace(clause, weight=None) for clause in clauses)
    found.hard = (*compiled.hard, *kept)
    return found


def _wished(compiled: Compiled, clause: Clause, broken: int) -> list[Clause]:
    """Return clauses that let it be broken by no more, if there are any.

    Who is disturbed in one domain only is together there.
    """
    if clause.kind is constraints.Alone and broken == 1:
        return [dataclasses.replace(clause, kind=constraints.Together)]
    return _bounded(compiled, clause, broken) or []


def _kept(
    compiled: Compiled, clause: Clause, placement: Ints
) -> Iterator[Clause]:
    """Give clauses that are obeyed, and bound the amount of this one."""
    broken = amounts.amount(compiled, clause, placement)
    bounded = _bounded(compiled, clause, broken)
    if bounded is not None:
        yield from bounded
    elif clause.kind is constraints.AtMost:
        yield _thinned(compiled, clause, placement)
    else:
        yield from _parted(compiled, clause, placement)


def _bounded(
    compiled: Compiled, clause: Clause, broken: int
) -> list[Clause] | None:
    """Return clauses that let it be broken by no more; None: that takes more.

    Who is where, that is.
    """
    if clause.kind is constraints.Near:
        return [
            dataclasses.replace(clause, kind=constraints.Together, scope=scope)
            for scope in range(broken, len(compiled.scopes))
        ]
    if not broken:
        return [clause]
    if clause.kind in (constraints.Level, constraints.Lost):
        return [dataclasses.replace(clause, limit=clause.limit + broken)]
    if clause.kind is constraints.AtLeast:
        return [dataclasses.replace(clause, limit=clause.limit - broken)]
    return None


def _thinned(compiled: Compiled, clause: Clause, placement: Ints) -> Clause:
    """Leave out the units that are too many where they are."""
    domain_of = _domains(compiled, clause.scope, placement)
    here: collections.Counter[int] = collections.Counter()
    units = []
    for unit in clause.units:
        used = {domain_of[m] for m in unit} - {UNKNOWN}
        if all(here[domain] < clause.limit for domain in used):
            here.update(used)
            units.append(unit)
    return _of(clause, units)


def _parted(
    compiled: Compiled, clause: Clause, placement: Ints
) -> Iterator[Clause]:
    """Give those of each domain: they stay together, and alone if they are.

    So Together has no more parts than now, and Alone no more that are
    disturbed.
    """
    domain_of = _domains(compiled, clause.scope, placement)
    parts: dict[int, list[int]] = {}
    for member in clause.members:
        parts.setdefault(domain_of[member], []).append(member)
    parts.pop(UNKNOWN, None)
    calm: list[int] = []
    for members in parts.values():
        part = _of(clause, [(m,) for m in members])
        if clause.kind is constraints.Alone and not amounts.amount(
            compiled, part, placement
        ):
            calm.extend(members)
        else:
            yield dataclasses.replace(part, kind=constraints.Together)
    yield _of(clause, [(m,) for m in calm])


def _domains(compiled: Compiled, scope: int, placement: Ints) -> list[int]:
    found: list[int] = np.where(
        placement == UNKNOWN, UNKNOWN, compiled.domain[scope][placement]
    ).tolist()
    return found


def _of(clause: Clause, units: Sequence[tuple[int, ...]]) -> Clause:
    members = tuple(dict.fromkeys(m for unit in units for m in unit))
    return dataclasses.replace(clause, units=tuple(units), members=members)
