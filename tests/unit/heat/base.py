# SPDX-License-Identifier: Apache-2.0
"""A real Heat, with our plugin loaded, and a service that obeys the test."""

from __future__ import annotations

import copy
import logging

import fixtures
from heat.common import template_format
from heat.engine import resources as heat_resources
from heat.engine import scheduler
from heat.tests import utils as heat_utils
from keystoneauth1 import access, fixture
from keystoneauth1.identity import access as known
from oslo_config import cfg
from oslotest import base

from heat_vcluster import client, exception, spec
from heat_vcluster.cmd import heat_plugin

TYPE = 'OS::VCluster::Cluster'

HEAD = 'heat_template_version: 2021-04-16\n'

PAIR = """
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - {name: net, type: network, spec: {subnets: [{cidr: 10.0.0.0/24}]}}
        - {name: data, type: volume, spec: {size: 1}}
        - name: db
          type: server
          spec:
            image: cirros
            flavor: small
            networks: [net]
            volumes: [data]
      groups:
        - name: together
          spec: {policy: affinity, scope: rack}
          members: [db, data]
"""


class ObedientClient(client.Client):
    """Checks documents as the service does; the rest is as the test says.

    ``script`` is the statuses that ``show`` will tell, one after the other;
    the last one stays. GONE is no status: show raises ClusterNotFound.
    """

    GONE = 'GONE'

    def __init__(self):
        self.calls = []
        self.documents = {}
        self.updated_at = 0
        self.script = ['ACTIVE']
        self.reason = None
        self.refusals = []
        self.refusal = None
        self.members = {}
        self.compliance = None
        self.error_code = None
        self.copies = {}
        self.snapshot_script = ['CREATING', 'CREATING', 'AVAILABLE']
        self.removal_script = ['AVAILABLE', 'DELETING', self.GONE]

    def validate(self, document):
        self.calls.append('validate')
        spec.load(document, scopes=('zone', 'rack', 'host'))

    def _never(self, *args, **kwargs):
        raise AssertionError('Heat never asks for this')

    def plan(self, document, *, cluster_id):
        self.calls.append('plan')
        if self.refusals:
            raise self.refusals.pop(0)
        self.asked = copy.deepcopy(document)
        return {'verdict': 'feasible', 'changes': []}

    show_plan = release_plan = create_planned = _never
    list = members = member = events = topology = limits = _never
    restore = snapshots = _never
    stop = start = heal = repair = plan_repair = _never
    release = plan_adoption = _never

    def create(self, document, *, cluster_id=None, timeout=None):
        self.calls.append('create')
        spec.load(document)
        self.timeout = timeout
        self.documents[cluster_id] = copy.deepcopy(document)
        if self.refusal:
            raise self.refusal
        return self._view(cluster_id, 'PLANNING')

    def adopt(self, document, members, *, allow_drifted, **options):
        self.adopted = (dict(members), allow_drifted)
        view = self.create(document, **options)
        self.calls[-1] = 'adopt'
        return {**view, 'status': 'ADOPTING'}

    def show(self, cluster_id):
        self.calls.append('show')
        status = self.script[0]
        if self.script[1:]:
            self.script.pop(0)
            self.updated_at += 1
        if status == self.GONE or cluster_id not in self.documents:
            raise exception.ClusterNotFound(cluster_id)
        return self._view(cluster_id, status)

    def check(self, cluster_id):
        return self._act('check', cluster_id)

    def suspend(self, cluster_id):
        return self._act('suspend', cluster_id)

    def resume(self, cluster_id):
        return self._act('resume', cluster_id)

    def create_snapshot(self, cluster_id, *, snapshot_id, name):
        self.calls.append('create_snapshot')
        self.copies[snapshot_id] = [*self.snapshot_script]
        self.copied = copy.deepcopy(self.documents[cluster_id])
        return self._snapshot(snapshot_id)

    def snapshot(self, cluster_id, snapshot_id):
        if snapshot_id not in self.copies:
            raise exception.SnapshotNotFound(cluster_id, snapshot_id)
        if self.copies[snapshot_id][1:]:
            self.copies[snapshot_id].pop(0)
        if self.copies[snapshot_id] == [self.GONE]:
            del self.copies[snapshot_id]
            raise exception.SnapshotNotFound(cluster_id, snapshot_id)
        return self._snapshot(snapshot_id)

    def delete_snapshot(self, cluster_id, snapshot_id):
        self.calls.append('delete_snapshot')
        if self.refusals:
            raise self.refusals.pop(0)
        self.copies[snapshot_id] = [*self.removal_script]

    def _snapshot(self, snapshot_id):
        status = self.copies[snapshot_id][0]
        document = {
            **self.copied,
            'sources': {'db': {'image': 'copy'}},
            'update_policy': {'replace_on': 'any'},
        }
        return {
            'id': snapshot_id,
            'status': status,
            'status_reason': self.reason,
            'document': document if status == 'AVAILABLE' else None,
        }

    def _act(self, verb, cluster_id):
        self.calls.append(verb)
        return self._view(cluster_id, self.script[0])

    def update(self, cluster_id, *, document, timeout=None):
        self.calls.append('update')
        spec.load(document)
        if self.refusals:
            raise self.refusals.pop(0)
        self.timeout = timeout
        self.asked = copy.deepcopy(document)
        return self._view(cluster_id, 'UPDATING')

    def delete(self, cluster_id):
        self.calls.append('delete')
        if cluster_id not in self.documents:
            raise exception.ClusterNotFound(cluster_id)

    def _view(self, cluster_id, status):
        return {
            'id': cluster_id,
            'name': self.documents[cluster_id].get('name'),
            'status': status,
            'status_reason': self.reason,
            'error_code': self.error_code,
            'instances': self.documents[cluster_id]['instances'],
            'groups': self.documents[cluster_id]['groups'],
            'survive': self.documents[cluster_id].get('survive', []),
            'compliance': self.compliance,
            'update_policy': None,
            'sources': self.documents[cluster_id].get('sources'),
            'members': self.members,
            'updated_at': str(self.updated_at),
            'placement': None,
            'survival': [{'says': 'so many are left'}],
            'server_groups': [{'group': 'apart', 'held': True, 'why': None}],
            'leftovers': [],
        }


def load_plugins():
    """What heat-engine does first; it takes a while, once is enough."""
    cfg.CONF.set_default('plugin_dirs', [str(heat_plugin.PLUGIN_DIR)])
    heat_resources.initialise()


def give_token(context, **urls):
    """Give a token whose catalog has the service at these interfaces."""
    token = fixture.V3Token(project_id=context.project_id, user_id='ann')
    if urls:
        token.add_service('vcluster').add_standard_endpoints(
            **urls, region='here'
        )
    # As the API's own way to tell who asks, for tests, has it.
    told = f'{context.project_id}:ann:member'
    reference = access.create(body=token, auth_token=told)
    context.keystone_session.auth = known.AccessInfoPlugin(reference)


class HeatTest(base.BaseTestCase):
    #: The service's, by interface; where it has none, it is in the process.
    endpoints = {}

    def setUp(self):
        super().setUp()
        # Heat tells of each of its types.
        logging.getLogger('heat').setLevel(logging.ERROR)
        heat_utils.setup_dummy_db()
        self.addCleanup(heat_utils.reset_dummy_db)
        cfg.CONF.set_override('deferred_auth_method', 'password')
        self.addCleanup(cfg.CONF.clear_override, 'deferred_auth_method')
        load_plugins()
        self.stacks = []
        self.service = ObedientClient()
        self.useFixture(
            fixtures.MonkeyPatch(
                'heat_vcluster.deploy.client', lambda context: self.service
            )
        )

    def later(self, module, clock, seconds):
        """Let so much time pass at once, on a clock of a module."""
        before = getattr(module, clock)
        self.useFixture(
            fixtures.MockPatchObject(module, clock, lambda: before() + seconds)
        )

    def stack(self, body, **parameters):
        """Parse a template (its head is added) into a stored stack."""
        text = body if body.startswith('heat_template') else HEAD + body
        stack = heat_utils.parse_stack(
            template_format.parse(text),
            params=parameters,
            stack_name=f's{len(self.stacks)}',
        )
        give_token(stack.context, **self.endpoints)
        self.stacks.append(stack)  # a resource holds its stack weakly
        return stack

    def cluster(self, body, **parameters):
        return self.stack(body, **parameters)['cluster']

    def run_task(self, task, **kwargs):
        """Run one of a resource's tasks to its end, without waiting."""
        scheduler.TaskRunner(task, **kwargs)(wait_time=0)
