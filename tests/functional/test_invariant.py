# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked for and whatever goes wrong: all, or nothing.

A cluster ends ACTIVE with every rule true, or in ERROR with nothing left,
or in ERROR with what is left named and a later delete that removes it.
"""

import dataclasses

import hypothesis
from hypothesis import strategies as st

from heat_vcluster import exception
from heat_vcluster.cloud import model
from heat_vcluster.cloud.fake import ATTACHMENT, DELETING, FakeCloud
from tests.functional import base, documents

SCOPES = st.sampled_from(['host', 'rack', 'zone'])
COUNTS = st.integers(1, 3)


@st.composite
def networks(draw):
    spec = {'subnets': [{'cidr': '10.70.0.0/24'}]}
    if draw(st.booleans()):
        spec['router'] = {'external_network': 'public'}
    return spec


@st.composite
def rules(draw):
    """Draw a rule of any kind, strict or a wish.

    Nothing in it depends on what becomes of the cloud while it is built:
    which domains there are to be even over is said, and who else is in
    a domain is asked by wishes only.
    """
    policy = draw(
        st.sampled_from(
            [
                'affinity',
                'anti-affinity',
                'exclusive',
                'proximity',
                'spread',
            ]
        )
    )
    rule = {'policy': policy}
    if policy == 'proximity':
        rule |= draw(st.sampled_from([{}, {'at_least': 'zone'}]))
    else:
        rule['scope'] = draw(SCOPES)
    if policy == 'spread':
        rule |= draw(
            st.sampled_from(
                [
                    {'max_per_domain': 1},
                    {'max_per_domain': 2},
                    {'min_domains': 2},
                    {
                        'scope': 'zone',
                        'max_skew': 1,
                        'domains': ['az1', 'az2'],
                    },
                ]
            )
        )
    if policy == 'exclusive' or draw(st.booleans()):
        rule['weight'] = draw(COUNTS)
    return rule


@st.composite
def clusters(draw):
    """Draw a document of up to three roles, each with rules of its own."""
    instances, groups = [], []
    network = draw(st.none() | networks())
    if network is not None:
        instances.append({'name': 'net', 'type': 'network', 'spec': network})
    for role in ('a', 'b', 'c')[: draw(COUNTS)]:
        count = draw(COUNTS)
        spec = {'flavor': draw(st.sampled_from(['tiny', 'large', 'c8']))}
        if network is not None and draw(st.booleans()):
            interface = {'network': 'net'}
            if 'router' in network and draw(st.booleans()):
                interface['floating_ip'] = 'public'
            spec['networks'] = [interface]
        if draw(st.booleans()):
            volume = f'{role}-data'
            instances.append(
                {
                    'name': volume,
                    'type': 'volume',
                    'count': count,
                    'spec': {'size': 1},
                }
            )
            spec['volumes'] = [f'{volume}-%index%']
            if draw(st.booleans()):
                groups.append(
                    {
                        'name': f'{role}-near',
                        'spec': {'policy': 'affinity', 'scope': 'rack'},
                        'members': [f'{role}-0', f'{volume}-0'],
                    }
                )
        instances.append(documents.server(role, count=count, **spec))
        rule = draw(st.none() | rules())
        if rule is not None:
            groups.append(
                {'name': f'{role}-rule', 'spec': rule, 'members': [role]}
            )
    return {'name': 'any', 'instances': instances, 'groups': groups}


#: What a fault may do; each takes the cloud, a call's name and how often.
def fail(cloud, name, times):
    error = exception.CloudError('fake', 'it broke')
    cloud.faults.fail(name, error=error, times=times)


def fail_late(cloud, name, times):
    error = exception.CloudError('fake', 'no answer came')
    cloud.faults.fail_late(name, error=error, times=times)


def fill_hosts(cloud, name, times):
    def act(call):
        wanted = call.arguments.get('wanted')
        if isinstance(wanted, model.ServerRequest):
            cloud.fill_host(wanted.host)
        else:
            cloud.fill_host(min(cloud.world.hosts))

    cloud.faults.before(name, None, act, times)


def disable_hosts(cloud, name, times):
    hosts = iter(sorted(cloud.world.hosts)[: times + 1])

    def act(call):
        cloud.disable_host(next(hosts))

    cloud.faults.before(name, None, act, times)


def ruin(cloud, name, times):
    for what in (model.Kind.SERVER, model.Kind.VOLUME, ATTACHMENT):
        cloud.faults.ruin(what, times=times)


def refuse(cloud, name, times):
    ruin(cloud, name, 1)
    kinds = list(model.Kind)
    cloud.faults.refuse_delete(kinds[times], times=None)


def stick(cloud, name, times):
    ruin(cloud, name, 1)
    cloud.faults.stick(model.Kind.SERVER, phase=DELETING)


FAULTS = (
    fail,
    fail_late,
    fill_hosts,
    disable_hosts,
    ruin,
    refuse,
    stick,
)
CALLS = (
    'resolve',
    'snapshot',
    'reserve',
    'release',
    'ensure_network',
    'ensure_subnet',
    'ensure_router',
    'ensure_port',
    'ensure_volume',
    'volume_state',
    'ensure_server',
    'is_claimed',
    'server_state',
    'attach_volume',
    'ensure_floating_ip',
    'find',
    'delete',
    'is_gone',
    'release_holds',
)


class InvariantTest(base.EngineTest):
    settings = dataclasses.replace(
        base.FAST, poll_interval=0.005, removal_timeout=0.4
    )

    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        document=clusters(),
        faults=st.lists(
            st.tuples(
                st.sampled_from(FAULTS),
                st.sampled_from(CALLS),
                st.integers(1, 4),
            ),
            max_size=3,
        ),
    )
    def test_all_or_nothing(self, document, faults):
        # A small world of its own for each example.
        self.cloud = FakeCloud(racks=3, hosts_per_rack=2, vcpus=12)
        service = self.service = self.make_service()
        for act, name, times in faults:
            act(self.cloud, name, times)
        try:
            view = self.build(document)
            if view['status'] == 'ACTIVE':
                self.assert_built(document, view)
            else:
                self.check_failed(view)
            self.delete_for_good(view['id'])
        finally:
            service.stop(5.0)
            self.service.stop(5.0)

    def check_failed(self, view):
        self.assertEqual('ERROR', view['status'])
        self.assertTrue(view['error_code'])
        self.assert_secret(view)
        left = {
            thing.id
            for thing in self.cloud.leftovers()
            if not isinstance(thing, model.Hold)
        }
        told = {each['id'] for each in view['leftovers']}
        if 'not be verified' not in view['status_reason']:
            self.assertEqual(left, told, view['status_reason'])
        if 'given back' not in view['status_reason']:
            self.assertEqual({}, self.cloud.world.holds)
        for thing_id in told:
            self.assertIn(thing_id, view['status_reason'])
        spared = {each['member'] for each in view['leftovers']}
        for name, member in view['members'].items():
            if 'not be verified' not in view['status_reason']:
                self.assertEqual(
                    'ERROR' if name in spared else 'DELETED',
                    member['status'],
                )
