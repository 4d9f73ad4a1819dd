# SPDX-License-Identifier: Apache-2.0
"""Exclusive: nobody else in the domains of the group."""

from __future__ import annotations

from collections.abc import Sequence

from heat_vcluster.placement import constraints, model
from heat_vcluster.placement.policies import base


class Exclusive(base.Policy):
    name = 'exclusive'
    schema = {'properties': {}, 'required': []}

    def constraints(
        self, rule: model.Rule
    ) -> tuple[constraints.Constraint, ...]:
        return (constraints.Alone(rule.scope, rule.members),)
