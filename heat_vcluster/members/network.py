# SPDX-License-Identifier: Apache-2.0
"""A network member: the network, its subnets and its router."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from heat_vcluster.cloud import model
from heat_vcluster.members import base
from heat_vcluster.spec import model as spec

NETWORK = 'network'
ROUTER = 'router'


class Network(base.MemberType):
    name = 'network'

    def step_names(self, asked: spec.MemberSpec) -> tuple[str, ...]:
        has_router = cast(spec.NetworkSpec, asked).router is not None
        return (NETWORK, ROUTER) if has_router else (NETWORK,)

    def steps(
        self, wanted: spec.GroupSpec, member: spec.Member
    ) -> tuple[base.Step, ...]:
        asked = cast(spec.NetworkSpec, member.spec)
        before = base.ready(wanted, member.depends_on)
        steps = [
            base.Step(
                member.name,
                NETWORK,
                lambda site: create_network(site, member.name, asked),
                before | {base.RESERVATION},
                frozenset({model.Kind.NETWORK, model.Kind.SUBNET}),
            )
        ]
        if asked.router is not None:
            external = asked.router.external_network
            steps.append(
                base.Step(
                    member.name,
                    ROUTER,
                    lambda site: create_router(site, member.name, external),
                    frozenset({base.symbol(member.name, NETWORK)}),
                    frozenset({model.Kind.ROUTER}),
                )
            )
        return tuple(steps)

    def resource_id(self, facts: Mapping[str, Any]) -> str | None:
        return facts.get('network_id')

    def things(
        self, facts: Mapping[str, Any]
    ) -> tuple[tuple[model.Kind, str, str], ...]:
        found = [
            (model.Kind.NETWORK, facts.get('network_id'), ''),
            *(
                (model.Kind.SUBNET, subnet, f'subnet-{number}')
                for number, subnet in enumerate(facts.get('subnet_ids', ()))
            ),
            (model.Kind.ROUTER, facts.get('router_id'), ROUTER),
        ]
        return tuple(each for each in found if each[1])

    def examine(
        self, scene: base.Scene, member: spec.Member
    ) -> base.Condition:
        facts = scene.facts[member.name]
        gone = scene.missing(model.Kind.NETWORK, [facts.get('network_id')])
        fault = (
            gone
            or scene.missing(model.Kind.SUBNET, facts.get('subnet_ids', ()))
            or scene.missing(model.Kind.ROUTER, [facts.get('router_id')])
        )
        return base.Condition(None, fault, is_lost=gone is not None)


def create_network(
    site: base.Site, member: str, asked: spec.NetworkSpec
) -> None:
    network_id = site.cloud.ensure_network(
        site.owner(member), site.name_of(member), asked
    )
    site.record(member, network_id=network_id)
    subnet_ids = []
    for number, subnet in enumerate(asked.subnets):
        part = f'subnet-{number}'
        subnet_ids.append(
            site.cloud.ensure_subnet(
                site.owner(member, part),
                subnet.name or site.name_of(member, part),
                network_id,
                subnet,
            )
        )
        site.record(member, subnet_ids=list(subnet_ids))


def create_router(site: base.Site, member: str, external: str) -> None:
    router_id = site.cloud.ensure_router(
        site.owner(member, ROUTER),
        site.name_of(member, ROUTER),
        site.resolution.networks[external],
        site.facts(member)['subnet_ids'],
    )
    site.record(member, router_id=router_id)
