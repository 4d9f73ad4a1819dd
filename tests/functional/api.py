# SPDX-License-Identifier: Apache-2.0
"""The real API on a whole service on the fake cloud."""

import json

from heat_vcluster import conf as configuration
from heat_vcluster.api import app
from tests.functional import base

ANN = 'alpha:ann:member'
RITA = 'alpha:rita:reader'
BOB = 'beta:bob:member'
ADA = 'ops:ada:admin'


def configured(**options):
    """Return a configuration as tests of the API want it."""
    conf = configuration.load(config_files=[])
    wanted = {'auth': 'noauth', 'validate_responses': True, **options}
    for name, value in wanted.items():
        conf.set_override(name, value, 'api')
    return conf


class Answer:
    """What came back, read as JSON where it is."""

    def __init__(self, status, headers, content):
        self.status = int(status.split()[0])
        self.headers = {name.lower(): value for name, value in headers}
        self.text = content.decode()
        self.body = json.loads(self.text) if self.text else None


class ApiTest(base.EngineTest):
    """``ask`` goes through all that stands in front of the service."""

    def setUp(self):
        super().setUp()
        self.conf = self.make_conf()
        self.app = app.make_app(self.service, self.conf)

    def make_conf(self):
        return configured()
