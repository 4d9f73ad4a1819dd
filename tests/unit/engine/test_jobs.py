# SPDX-License-Identifier: Apache-2.0
"""What a URL of a jobboard means, and what is done when it fails."""

from unittest import mock

import testtools

from heat_vcluster import exception
from heat_vcluster.engine import jobs
from tests import base


class ConfigurationTest(testtools.TestCase):
    def test_redis(self):
        self.assertEqual(
            {
                'board': 'redis',
                'namespace': 'heat-vcluster',
                'host': 'red',
                'port': 6380,
                'username': 'ann',
                'password': 'p@ss',
                'db': '2',
                'ssl': 'true',
            },
            jobs.configuration('redis://ann:p%40ss@red:6380/2?ssl=true'),
        )

    def test_etcd_on_its_usual_port(self):
        self.assertEqual(
            {'board': 'etcd', 'path': '/heat-vcluster', 'host': 'e'},
            jobs.configuration('etcd://e'),
        )

    def test_zookeeper_has_many_hosts(self):
        self.assertEqual(
            {
                'board': 'zookeeper',
                'path': '/heat-vcluster',
                'hosts': 'z1:2181,z2:2181',
                'check_compatible': 'false',
            },
            jobs.configuration('zookeeper://z1:2181,z2:2181'),
        )

    def test_what_is_passed_on_overrules(self):
        found = jobs.configuration('redis://red?namespace=staging')
        self.assertEqual('staging', found['namespace'])

    def test_nonsense_is_refused_without_telling_a_password(self):
        for url in (
            'amqp://me:hush@rabbit',
            'redis://:hush@red:port',
            'redis://:hush@red/vcluster',
            'redis://:hush@',
            'redis:///2',
            'etcd:2379',
            'zookeeper://',
            '',
        ):
            refusal = self.assertRaises(
                exception.InvalidConfiguration, jobs.configuration, url
            )
            self.assertNotIn('hush', str(refusal))
            self.assertIn('redis, etcd, zookeeper', str(refusal))

    def test_a_socket_does_instead_of_a_host(self):
        found = jobs.configuration('redis:///?unix_socket_path=/run/redis')
        self.assertEqual('/run/redis', found['unix_socket_path'])
        self.assertNotIn('host', found)

    def test_what_speaks_to_it_has_to_be_there(self):
        found = jobs.configuration('redis://red')
        with mock.patch.dict('sys.modules', {'redis': None}):
            refusal = self.assertRaises(
                exception.InvalidConfiguration, jobs.check_installed, found
            )
        self.assertIn('package redis', str(refusal))


class BrokenBoard:
    """Works once per connection."""

    def __init__(self):
        self.posted = []
        self.is_closed = False

    def connect(self):
        pass

    def close(self):
        self.is_closed = True

    def post(self, name, details):
        if self.posted:
            raise OSError('broken pipe to hush')
        self.posted.append(name)


class LineTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.boards = []
        self.line = jobs.Jobs({'board': 'broken'}, 30.0, self.fetch)

    def fetch(self, name, configuration):
        self.boards.append(BrokenBoard())
        return self.boards[-1]

    def test_nothing_is_opened_before_it_is_used(self):
        self.assertEqual([], self.boards)

    def test_line_that_broke_is_opened_anew(self):
        self.line.post('first', None)
        failure = self.assertRaises(
            exception.ServiceUnavailable, self.line.post, 'second', None
        )
        self.assertNotIn('hush', str(failure))
        self.assertTrue(self.boards[0].is_closed)
        self.line.post('third', None)
        self.assertEqual(
            [['first'], ['third']], [board.posted for board in self.boards]
        )
