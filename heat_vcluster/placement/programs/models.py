# SPDX-License-Identifier: Apache-2.0
"""Models of CP-SAT that take no memory once nobody has them."""

from ortools.sat.python import cp_model


def empty() -> cp_model.CpModel:
    """Return one that is gone with the last reference to it.

    Each has its methods under older names as well, which refer back to it:
    with these it would stay, megabytes of it, until garbage is collected.
    """
    model = cp_model.CpModel()
    vars(model).clear()
    return model
