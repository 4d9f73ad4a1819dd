# SPDX-License-Identifier: Apache-2.0
"""Proximity: as near as can be, and never farther than a floor."""

from __future__ import annotations

from collections.abc import Sequence

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Proximity(base.Policy):
    name = 'proximity'
    schema = {'properties': {}, 'required': []}

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        return (constraints.Near(rule.members),)

    def hard(
        self, rule: model.Rule, scopes: Sequence[str]
    ) -> tuple[constraints.Constraint, ...]:
        floor = rule.options.get('at_least')
        if floor is None:
            return ()
        return tuple(
            constraints.Together(scope, rule.members)
            for scope in scopes[scopes.index(floor) :]
        )
