# SPDX-License-Identifier: Apache-2.0
"""Small documents, and what the loader says of them."""

import testtools

from heat_vcluster import exception
from heat_vcluster.spec import loader


class Gather:
    schema = {'properties': {}, 'required': []}


class Part:
    schema = {'properties': {}, 'required': []}
    disjoint_units = True


class Spread:
    schema = {
        'properties': {
            'max_per_domain': {'type': 'integer', 'minimum': 1},
        },
        'required': ['max_per_domain'],
    }


POLICIES = {'affinity': Gather, 'anti-affinity': Part, 'spread': Spread}


def server(name, /, *, count=None, depends_on=None, **spec):
    spec = {'flavor': 'small', 'image': 'linux'} | spec
    return instance(name, 'server', spec, count, depends_on)


def volume(name, /, *, count=None, depends_on=None, **spec):
    return instance(name, 'volume', {'size': 1} | spec, count, depends_on)


def network(name, /, *, count=None, depends_on=None, **spec):
    spec = {'subnets': [{'cidr': '10.0.0.0/24'}]} | spec
    return instance(name, 'network', spec, count, depends_on)


def instance(name, kind, spec, count=None, depends_on=None):
    made = {'name': name, 'type': kind, 'spec': spec}
    if count is not None:
        made['count'] = count
    if depends_on is not None:
        made['depends_on'] = depends_on
    return made


def group(name, /, *members, policy='affinity', **rule):
    return {
        'name': name,
        'spec': {'policy': policy} | rule,
        'members': list(members),
    }


def document(*entries):
    """Return the document of these instances and groups."""
    return {
        'instances': [e for e in entries if 'type' in e],
        'groups': [e for e in entries if 'members' in e],
    }


def load(*entries, **options):
    return loader.load(document(*entries), policies=POLICIES, **options)


class SpecTest(testtools.TestCase):
    def faults_of(self, source, **options):
        """Return the (path, message) pairs of a document's faults."""
        options = {'policies': POLICIES} | options
        error = self.assertRaises(
            exception.InvalidDocument, loader.load, source, **options
        )
        return [(fault.path, fault.message) for fault in error.faults]

    def assert_faults(self, expected, *entries, **options):
        """The document has exactly these faults: place -> words in it."""
        found = self.faults_of(document(*entries), **options)
        self.assertEqual(
            sorted(expected), sorted(path for path, _ in found), found
        )
        for path, message in found:
            self.assertIn(expected[path], message)
