# SPDX-License-Identifier: Apache-2.0
"""Which solver is asked to solve a program of counts, and for how long."""

from __future__ import annotations

import dataclasses

from heat_vcluster.placement.programs import linear

SMALLISH = 8_000  # variables up to which CP-SAT is asked first
EFFORT = 0.05  # seconds of CP-SAT's own clock, before another solver is asked
LOOK = 0.2  # ... where any solution of few variables will do:
AGAIN = 0.3  # ... and if it was not found by that, otherwise
COMPACT = 5_000  # so many
PLAIN = 0.05  # ... for a search without cuts, before: it often finds one,
PLAINLY = 0.2  # ... more often where there are many variables


def look_plainly(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution without cuts and all that goes before a search.

    That finds most that there are, in a fraction of the time, and proves
    next to nothing.
    """
    if program.n_variables > SMALLISH:
        return linear.UNSOLVED
    is_compact = program.n_variables <= COMPACT
    return program.solve(
        deadline,
        seed,
        max_deterministic_time=PLAIN if is_compact else PLAINLY,
        linearization_level=0,
        cp_model_probing_level=0,
        symmetry_level=0,
    )


def look(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution, or the proof that there is none, for a moment.

    Plainly at first, then exactly; which is no use where there are many
    variables.
    """
    outcome = look_plainly(program, deadline, seed)
    if (
        outcome.status is linear.Status.UNKNOWN
        and program.n_variables <= SMALLISH
    ):
        is_compact = program.n_variables <= COMPACT
        outcome = program.solve(
            deadline,
            seed,
            max_deterministic_time=LOOK if is_compact else EFFORT,
        )
    return outcome


def persist(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find it the other way, and then exactly, for as long as it takes.

    Of few variables exactly before, too, but without all that goes before
    that: what takes one of them seconds is often done at once by the other.
    """
    outcome = linear.UNSOLVED
    if program.n_variables <= COMPACT:
        outcome = program.solve(
            deadline,
            seed,
            max_deterministic_time=AGAIN,
            cp_model_probing_level=0,
        )
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.seek(deadline, seed)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = program.solve(deadline, seed)
    return outcome


def solve(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Find any solution, or the proof that there is none."""
    outcome = look(program, deadline, seed)
    if outcome.status is linear.Status.UNKNOWN:
        outcome = persist(program, deadline, seed)
    return outcome


def fewest(
    program: linear.Program, deadline: float, seed: int
) -> linear.Outcome:
    """Solve exactly for a while, if that is any use, then the other way."""
    outcome = linear.UNSOLVED
    if program.n_variables <= SMALLISH:
        outcome = program.solve(deadline, seed, max_deterministic_time=EFFORT)
        if outcome.status in (linear.Status.NONE, linear.Status.BEST):
            return outcome
    return _better(outcome, program.seek(deadline, seed))


def _better(one: linear.Outcome, other: linear.Outcome) -> linear.Outcome:
    """Return the better values of the two, with the better bound."""
    found = [o for o in (one, other) if o.values is not None]
    bound = max(one.bound, other.bound)
    if not found:
        return dataclasses.replace(one, bound=bound)
    best = min(found, key=lambda outcome: outcome.objective)
    return dataclasses.replace(best, bound=bound)
