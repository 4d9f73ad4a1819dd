# SPDX-License-Identifier: Apache-2.0
"""vcluster-manage orphans, on a cloud that answers over sockets."""

from __future__ import annotations

import contextlib
import functools
import io
import uuid
from typing import NamedTuple

import fixtures
import yaml

from heat_vcluster import states
from heat_vcluster.cloud import model
from heat_vcluster.cloud.openstack import tags
from heat_vcluster.cmd import manage
from heat_vcluster.db import api as db
from heat_vcluster.db import records
from tests import base
from tests.functional import keystone
from tests.unit.cloud.openstack.wire import Wire

LIVING = str(uuid.uuid4())
PROJECT = 'project-of-alpha'
OTHER = 'project-of-beta'
TRUSTS = '/OS-TRUST/trusts'
ACCOUNT = """
[service_auth]
auth_type = password
auth_url = {url}
username = vcluster
password = secret
user_domain_id = default
"""


class Said(NamedTuple):
    stdout: str
    stderr: str


class CommandTest(base.TestCase):
    """A database with one living cluster, and what the cloud has."""

    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir())
        self.url = f'sqlite:///{self.folder.join("vcluster.sqlite")}'
        self.store = db.Store(self.url)
        self.addCleanup(self.store.close)
        self.cloud = Wire(self)
        self.servers = []
        self.volumes = []
        self.snapshots = []
        self.images = []
        self.networks = []
        self.groups = []
        self.consumers = {}
        self.trusts = []
        self.account = ''
        self.record(LIVING)

    def record(self, cluster_id, status=None, hold=None, trust=None):
        self.store.create_cluster(
            id=cluster_id,
            project_id=PROJECT,
            user_id='user',
            document={},
            trust_id=trust,
            members=[records.NewMember('web', 'server', {})],
        )
        lease = self.store.acquire(cluster_id, 'engine', 60)
        writer = self.store.writer(lease)
        if status:
            writer.set_status(status)
        if hold:
            writer.add_holds([model.Hold(hold, 'web', 'host', {'VCPU': 1})])

    def delete(self, cluster_id, **had):
        self.record(cluster_id, states.ClusterStatus.DELETING, **had)
        writer = self.store.writer(
            self.store.acquire(cluster_id, 'engine', 60)
        )
        writer.set_status(states.ClusterStatus.DELETED)

    # What the cloud has

    def server(self, name, cluster_id, project=PROJECT):
        owner = model.Owner(cluster_id, 'web')
        self.servers.append(
            {
                'id': name,
                'status': 'ACTIVE',
                'tenant_id': project,
                'metadata': tags.metadata(owner) if cluster_id else {},
            }
        )

    def volume(self, name, cluster_id):
        owner = model.Owner(cluster_id, 'data')
        self.volumes.append(
            {
                'id': name,
                'os-vol-tenant-attr:tenant_id': PROJECT,
                'metadata': tags.metadata(owner),
            }
        )

    def snapshot(self, name, cluster_id):
        owner = model.Owner(cluster_id, 'data', 'snapshot')
        self.snapshots.append(
            {
                'id': name,
                'os-extended-snapshot-attributes:project_id': PROJECT,
                'metadata': tags.metadata(owner),
            }
        )

    def image(self, name, cluster_id, made_of='s', marked_of='s'):
        owner = model.Owner(cluster_id, 'web', 'snapshot')
        self.images.append(
            {
                'id': name,
                'owner': PROJECT,
                'instance_uuid': made_of,
                'vcluster_server': marked_of,
                **tags.metadata(owner),
            }
        )

    def network(self, name, cluster_id):
        owner = model.Owner(cluster_id, 'net')
        self.networks.append(
            {
                'id': name,
                'project_id': PROJECT,
                'description': tags.description(owner),
            }
        )

    def group(self, name, cluster_id):
        owner = model.Owner(cluster_id, 'apart')
        self.groups.append(
            {
                'id': name,
                'project_id': PROJECT,
                'name': tags.description(owner),
            }
        )

    def consumer(self, name, kind='VCLUSTER_HOLD', project=PROJECT):
        self.consumers[name] = {
            'allocations': {'host': {'resources': {'VCPU': 1}}},
            'consumer_type': kind,
            'project_id': project,
        }

    def trust(self, name, project=PROJECT):
        self.trusts.append({'id': name, 'project_id': project})

    def open(self):
        """Let the cloud answer; what is removed is gone when looked for."""
        say = self.cloud.answer
        say('GET', '/servers/detail', (200, {'servers': self.servers}))
        say('GET', '/volumes/detail', (200, {'volumes': self.volumes}))
        say('GET', '/snapshots/detail', (200, {'snapshots': self.snapshots}))
        say('GET', '/images', (200, {'images': self.images}))
        # A page, and then no more.
        for page in (self.groups, []):
            say('GET', '/os-server-groups', (200, {'server_groups': page}))
        for many in ('floatingips', 'ports', 'routers', 'subnets'):
            say('GET', f'/{many}', (200, {many: []}))
        say('GET', '/networks', (200, {'networks': self.networks}))
        for kind, things in (
            ('server', self.servers),
            ('volume', self.volumes),
            ('snapshot', self.snapshots),
            ('image', self.images),
            ('network', self.networks),
            ('os-server-group', self.groups),
        ):
            for thing in things:
                path = f'/{kind}s/{thing["id"]}'
                say('GET', path, functools.partial(self.show, kind, thing))
                say('DELETE', path, (202, None))
        say(
            'GET',
            '/resource_providers',
            (200, {'resource_providers': [{'uuid': 'host'}]}),
        )
        say(
            'GET',
            '/resource_providers/host/allocations',
            (200, {'allocations': {name: {} for name in self.consumers}}),
        )
        for name, body in self.consumers.items():
            say('GET', f'/allocations/{name}', (200, body))
            say('DELETE', f'/allocations/{name}', (204, None))
        say('GET', TRUSTS, (200, {'trusts': self.trusts}))
        for trust in self.trusts:
            path = f'{TRUSTS}/{trust["id"]}'
            say('GET', path, (200, {'trust': trust}))
            say('DELETE', path, (204, None))
        for thing in self.servers:
            path = f'/allocations/{thing["id"]}'
            say('GET', path, (200, {'allocations': {}}))

    def show(self, kind, thing):
        if f'/{kind}s/{thing["id"]}' in self.removed():
            return 404, {}
        return 200, {kind.removeprefix('os-').replace('-', '_'): thing}

    def run_command(self, *arguments, said='', code, database=None):
        clouds = {
            'clouds': {
                'admin': {
                    'auth_type': 'none',
                    'auth': {'endpoint': self.cloud.url},
                }
            }
        }
        with open(self.folder.join('clouds.yaml'), 'w') as file:
            yaml.safe_dump(clouds, file)
        config = self.folder.join('vcluster.conf')
        with open(config, 'w') as file:
            file.write(
                f'[database]\nconnection = {database or self.url}\n'
                '[cloud]\nretry_seconds = 0\n'
                f'{self.account}'
            )
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_CLIENT_CONFIG_FILE', self.folder.join('clouds.yaml')
            )
        )
        self.useFixture(fixtures.MonkeyPatch('sys.stdin', io.StringIO(said)))
        output, errors = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            found = manage.main(
                [
                    'orphans',
                    '--os-cloud=admin',
                    f'--config-file={config}',
                    *arguments,
                ]
            )
        said = Said(output.getvalue(), errors.getvalue())
        self.assertEqual(code, found, said)
        return said

    def listed(self, *arguments, code=2):
        lines = self.run_command(*arguments, code=code).stdout.splitlines()
        return {line.split()[2] for line in lines[1:]}

    def removed(self):
        return [s[1] for s in self.cloud.seen if s[0] == 'DELETE']


class OrphansTest(CommandTest):
    def test_what_belongs_to_a_living_cluster_is_none(self):
        self.server('s', LIVING)
        self.volume('v', LIVING)
        self.network('n', LIVING)
        self.server('not-ours', None)
        self.open()
        self.assertEqual('', self.run_command(code=0).stdout)

    def test_things_of_deleted_and_unknown_clusters_are_listed(self):
        deleted, unknown = str(uuid.uuid4()), str(uuid.uuid4())
        self.delete(deleted)
        self.server('s1', deleted)
        self.network('n1', deleted)
        self.volume('v1', unknown)
        self.volume('v2', LIVING)
        self.group('g1', deleted)
        self.group('g2', LIVING)
        self.open()
        said = self.run_command(code=2).stdout
        rows = [line.split() for line in said.splitlines()[1:]]
        self.assertEqual(
            [
                [PROJECT, 'network', 'n1', deleted, '(deleted)', 'net'],
                [PROJECT, 'server', 's1', deleted, '(deleted)', 'web'],
                [PROJECT, 'server_group', 'g1', deleted, '(deleted)', 'apart'],
                [PROJECT, 'volume', 'v1', unknown, '(unknown)', 'data'],
            ],
            rows,
        )
        self.assertEqual([], self.removed())

    def test_holds_without_a_record_are_listed(self):
        kept, lost = str(uuid.uuid4()), str(uuid.uuid4())
        self.record(str(uuid.uuid4()), hold=kept)
        self.consumer(kept)
        self.consumer(lost)
        self.consumer('server-of-nova', kind='INSTANCE')
        self.open()
        self.assertEqual({lost}, self.listed())

    def test_what_went_since_it_was_listed_is_none(self):
        self.server('gone', str(uuid.uuid4()))
        self.open()
        self.cloud.forget('GET', '/servers/gone')
        self.assertEqual('', self.run_command(code=0).stdout)

    def test_only_what_is_asked_for_is_looked_at(self):
        one, two = str(uuid.uuid4()), str(uuid.uuid4())
        self.server('s1', one)
        self.server('s2', two)
        self.server('s3', two, project=OTHER)
        self.open()
        self.assertEqual({'s2', 's3'}, self.listed(f'--cluster={two}'))
        self.assertEqual({'s3'}, self.listed(f'--project={OTHER}'))

    def test_nothing_is_removed_before_a_yes(self):
        self.server('s', str(uuid.uuid4()))
        self.open()
        for said in ('', '\n', 'n\n', 'no\n'):
            self.run_command('--delete', said=said, code=2)
        self.assertEqual([], self.removed())

    def test_all_is_removed_servers_before_networks(self):
        unknown, lost = str(uuid.uuid4()), str(uuid.uuid4())
        self.network('n', unknown)
        self.volume('v', unknown)
        self.snapshot('vs', unknown)
        self.image('i', unknown)
        self.image('of-a-server-that-was-made-of-one', unknown, 'other')
        self.server('s', unknown)
        self.group('g', unknown)
        self.server('living', LIVING)
        self.consumer(lost)
        self.open()
        said = self.run_command('--delete', said='y\n', code=0).stdout
        self.assertIn('7 of 7 removed', said)
        self.assertEqual(
            [
                '/servers/s',
                '/os-server-groups/g',
                '/images/i',
                '/snapshots/vs',
                '/volumes/v',
                '/networks/n',
                f'/allocations/{lost}',
            ],
            self.removed(),
        )

    def test_what_is_refused_is_told(self):
        self.volume('v', str(uuid.uuid4()))
        self.open()
        self.cloud.forget('DELETE', '/volumes/v')
        self.cloud.answer(
            'DELETE', '/volumes/v', (403, {'forbidden': {'message': 'no'}})
        )
        ran = self.run_command('--delete', '--yes', code=2)
        self.assertIn('left: volume v: cinder: no', ran.stderr)
        self.assertIn('0 of 1 removed', ran.stdout)

    def test_database_that_knows_nothing_removes_nothing(self):
        mistaken = f'sqlite:///{self.folder.join("mistaken.sqlite")}'
        db.Store(mistaken).upgrade()
        self.server('s', LIVING)
        self.open()
        ran = self.run_command('--delete', '--yes', code=1, database=mistaken)
        self.assertIn('is that the right', ran.stderr)
        self.assertEqual([], self.removed())

    def test_tenant_is_refused(self):
        self.cloud.answer(
            'GET', '/servers/detail', (403, {'forbidden': {'message': 'no'}})
        )
        self.assertIn('nova: no', self.run_command(code=1).stderr)


class TrustsTest(CommandTest):
    """``waited``: the seconds between the two looks at trusts."""

    def setUp(self):
        super().setUp()
        self.keystone = keystone.Keystone()
        self.addCleanup(self.keystone.stop)
        self.account = ACCOUNT.format(url=self.keystone.url)
        self.waited = []
        self.meanwhile = lambda: None
        self.useFixture(
            fixtures.MonkeyPatch('heat_vcluster.cmd.orphans.time', self)
        )

    def sleep(self, seconds):
        self.waited.append(seconds)
        self.meanwhile()

    def test_trusts_that_no_living_cluster_has_are_listed(self):
        self.record(str(uuid.uuid4()), trust='kept')
        self.delete(str(uuid.uuid4()), trust='of-deleted')
        for name in ('kept', 'of-deleted', 'of-nobody'):
            self.trust(name)
        self.open()
        self.assertEqual({'of-deleted', 'of-nobody'}, self.listed())
        (query,) = [s[2] for s in self.cloud.seen if s[1] == TRUSTS]
        self.assertEqual({'trustee_user_id': ['service']}, query)

    def test_all_known_nobody_waits(self):
        self.record(str(uuid.uuid4()), trust='kept')
        self.trust('kept')
        self.open()
        self.run_command(code=0)
        self.assertEqual([], self.waited)

    def test_trust_of_a_cluster_that_is_created_just_now_is_none(self):
        self.trust('new')
        self.open()
        self.meanwhile = lambda: self.record(str(uuid.uuid4()), trust='new')
        self.run_command('--delete', '--yes', code=0)
        self.assertEqual([60.0], self.waited)
        self.assertEqual([], self.removed())

    def test_trust_that_was_ended_meanwhile_is_none(self):
        self.trust('refused')
        self.open()
        self.meanwhile = lambda: self.cloud.forget('GET', f'{TRUSTS}/refused')
        self.run_command(code=0)

    def test_they_are_ended(self):
        self.trust('lost')
        self.trust('of-beta', project=OTHER)
        self.open()
        self.run_command('--delete', '--yes', f'--project={PROJECT}', code=0)
        self.assertEqual([f'{TRUSTS}/lost'], self.removed())

    def test_what_is_refused_is_told(self):
        self.trust('lost')
        self.open()
        self.cloud.forget('DELETE', f'{TRUSTS}/lost')
        self.cloud.answer(
            'DELETE', f'{TRUSTS}/lost', (403, {'error': {'message': 'no'}})
        )
        said = self.run_command('--delete', '--yes', code=2)
        self.assertIn('left: trust lost: keystone: no', said.stderr)

    def test_without_a_token_for_the_account_it_cannot_be_told(self):
        self.keystone.stop()
        self.open()
        said = self.run_command(code=1)
        self.assertIn('keystone: gives no token', said.stderr)
        self.assertNotIn('secret', said.stderr)

    def test_without_an_account_they_are_left_out(self):
        self.account = ''
        self.trust('lost')
        self.open()
        self.run_command(code=0)
