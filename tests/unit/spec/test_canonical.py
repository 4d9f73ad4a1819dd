# SPDX-License-Identifier: Apache-2.0
"""The canonical document says all that was asked, and nothing else."""

import json

import hypothesis
import yaml
from hypothesis import strategies as st

from heat_vcluster import exception
from heat_vcluster.spec import loader
from tests.unit.spec import base

TEXT = st.text(
    st.characters(codec='utf-8', exclude_characters='\0'), max_size=12
)
METADATA = st.dictionaries(
    st.sampled_from(['a', 'b:c', 'd e']),
    st.one_of(TEXT, st.integers(), st.booleans(), st.floats(0, 9)),
    max_size=3,
)
COUNT = st.one_of(st.none(), st.integers(1, 3))


def some(**optional):
    """Return mappings with any of these keys."""
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def networks(draw):
    number = draw(st.integers(0, 2))
    subnets = [
        {'cidr': f'10.0.{n}.0/24'}
        | draw(
            some(
                dns=st.just(['8.8.8.8']),
                dhcp=st.booleans(),
                gateway=st.just(f'10.0.{n}.3'),
                allocation_pools=st.just(
                    [{'start': f'10.0.{n}.9', 'end': f'10.0.{n}.99'}]
                ),
            )
        )
        for n in range(number)
    ]
    extra = draw(some(mtu=st.integers(68, 9000)))
    if number:
        extra |= draw(some(router=st.just({'external_network': 'public'})))
    return base.network('net', subnets=subnets, **extra)


@st.composite
def servers(draw, net):
    interface = {'network': 'net'}
    if 'router' in net['spec']:
        interface |= draw(some(floating_ip=st.just('public')))
    interfaces = [['old'], [{'network': 'old', 'security_groups': ['x']}]]
    if net['spec']['subnets']:
        interfaces += [['net'], [interface, 'old']]
    boot = draw(
        st.sampled_from([{}, {'image': None, 'boot_volume': 'root-%index%'}])
    )
    extra = draw(
        some(
            networks=st.sampled_from(interfaces),
            metadata=METADATA,
            user_data=TEXT,
            config_drive=st.booleans(),
            tags=st.lists(st.sampled_from('tuv'), unique=True),
        )
    )
    count = draw(st.integers(1, 3))
    return [
        base.server('web', count=count, **boot, **extra),
        base.server('lone', depends_on=['web']),
        base.volume('root', count=count, image='linux'),
    ]


@st.composite
def groups(draw):
    names = ['web', 'lone', 'root-0']
    made = []
    for n in range(draw(st.integers(0, 3))):
        members = draw(
            st.lists(st.sampled_from(names), unique=True, min_size=1)
        )
        rule = draw(
            some(
                scope=st.sampled_from(['host', 'rack']),
                weight=st.integers(1, 9),
            )
        )
        if 'weight' not in rule:
            rule |= draw(some(strict=st.booleans()))
        made.append(base.group(f'g{n}', *members, **rule))
        names.append(f'g{n}')
    return made


@st.composite
def documents(draw):
    net = draw(networks())
    entries = [net, *draw(servers(net)), *draw(groups())]
    document = base.document(*entries)
    return draw(some(name=st.just('c'))) | document


def in_old_spelling(document):
    """Return the same document as the blueprint would have it."""
    old = json.loads(json.dumps(document))
    for instance in old['instances']:
        instance['type'] = {'volume': 'block-storage'}.get(
            instance['type'], instance['type']
        )
        for new_key, old_key in (
            ('image', 'imageRef'),
            ('flavor', 'flavorRef'),
        ):
            if new_key in instance['spec']:
                instance['spec'][old_key] = instance['spec'].pop(new_key)
    groupings = old.pop('groups')
    for group in groupings:
        group['membersRef'] = json.dumps(group.pop('members'))
        group['spec']['rule'] = group['spec'].pop('policy')
    old['instances'] = {'instance': old['instances']}
    old['groupings'] = {'grouping': groupings}
    return {'vcluster': old}


def load(source):
    return loader.load(source, policies=base.POLICIES)


class CanonicalTest(base.SpecTest):
    @hypothesis.given(documents())
    @hypothesis.settings(max_examples=60, deadline=None)
    def test_loads_to_an_equal_spec(self, document):
        loaded = load(document)
        again = load(loaded.document)
        self.assertEqual(loaded, again)
        self.assertEqual(loaded.document, again.document)
        text = json.dumps(loaded.document)
        self.assertEqual(loaded, load(text))
        self.assertEqual(json.loads(text), loaded.document)

    @hypothesis.given(documents())
    @hypothesis.settings(max_examples=60, deadline=None)
    def test_every_way_to_write_it_means_the_same(self, document):
        expected = load(document)
        self.assertEqual(expected, load(in_old_spelling(document)))
        self.assertEqual(expected, load(json.dumps(document)))
        self.assertEqual(
            expected, load(yaml.safe_dump(document, sort_keys=False))
        )

    @hypothesis.given(documents())
    @hypothesis.settings(max_examples=40, deadline=None)
    def test_what_a_spec_promises(self, document):
        loaded = load(document)
        names = [member.name for member in loaded.members]
        self.assertEqual(len(set(names)), len(names))
        ready = set()
        waiting = list(loaded.members)
        while waiting:
            able = [m for m in waiting if m.depends_on <= ready]
            self.assertNotEqual([], able, 'a circle, or a name of nobody')
            ready |= {m.name for m in able}
            waiting = [m for m in waiting if m.name not in ready]
        for group in loaded.groups:
            self.assertLessEqual(set(group.members), set(names))
            self.assertTrue(all(group.units))

    def test_what_is_left_open_is_filled_in(self):
        loaded = base.load(
            base.server('a', networks=['n']),
            base.group('g', 'a'),
            base.group('h', 'a', strict=False),
        )
        self.assertEqual(
            {
                'instances': [
                    base.server('a', networks=[{'network': 'n'}]),
                ],
                'groups': [
                    base.group('g', 'a', scope='host', strict=True),
                    base.group('h', 'a', scope='host', strict=False, weight=1),
                ],
            },
            loaded.document,
        )


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    'name',
                    'type',
                    'spec',
                    'count',
                    'members',
                    'instances',
                    'groups',
                    'policy',
                    'networks',
                    'volumes',
                    'instance',
                    'metadata',
                    'subnets',
                    'cidr',
                    'depends_on',
                    'router',
                    'network',
                    'volume',
                    'boot_volume',
                    'membersRef',
                    'image',
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw):
    """Return a document with anything at all in one or two places."""
    document = json.loads(json.dumps(draw(documents())))
    for _ in range(draw(st.integers(1, 2))):
        inner, key = {'': document}, ''
        while True:
            value = inner[key]
            keys = (
                list(value)
                if isinstance(value, dict)
                else list(range(len(value)))
                if isinstance(value, list)
                else []
            )
            if not keys or draw(st.integers(0, 4)) == 0:
                break
            inner, key = value, draw(st.sampled_from(keys))
        inner[key] = draw(JSON)
        if inner is not document and key == '':
            document = inner['']
    return document


class AnyDocumentTest(base.SpecTest):
    """Whatever comes in: a request, or faults in words; never a crash."""

    @hypothesis.given(st.one_of(damaged(), JSON))
    @hypothesis.settings(max_examples=300, deadline=None)
    def test_is_loaded_or_refused(self, document):
        source = document if isinstance(document, dict) else str(document)
        try:
            loaded = load(source)
        except exception.InvalidDocument as error:
            self.assertNotEqual((), error.faults)
            self.assertTrue(all(f.message for f in error.faults))
        else:
            self.assertEqual(loaded, load(loaded.document))
