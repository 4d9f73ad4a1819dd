# SPDX-License-Identifier: Apache-2.0
"""The commands: the real shell, the real API, a whole service."""

from tests.functional import api, base, changes, documents, keystone, served

FAULTY = """
instances:
  - {name: db, type: server, spec: {image: cirros}}
  - {name: web, type: server, spec: {image: cirros, flavor: small}}
groups:
  - name: apart
    spec: {policy: anti-affinity, scope: galaxy}
    members: [db, web]
"""

#: More than there are hosts, each on its own.
CROWD = documents.servers(200, documents.APART)


class UpdateTest(served.ShellTest):
    def setUp(self):
        super().setUp()
        self.write(documents.servers(2))
        self.before = self.run_shell(
            'create -f web.yaml shop --wait -f json'
        ).json['members']

    def test_a_dry_run_tells_what_would_become_of_each_member(self):
        self.write(
            changes.replacing(documents.servers(3, flavor='medium'), 'flavor')
        )
        said = self.run_shell('update shop -f web.yaml --dry-run')
        for word in ('m-0 is replaced', 'flavor', 'm-2 is added'):
            self.assertIn(word, said.out)
        view = self.run_shell('show shop -f json').json
        self.assertEqual(self.before, view['members'])

    def test_those_named_go_and_the_others_stay(self):
        self.write(documents.servers(1))
        said = self.run_shell(
            'update shop -f web.yaml --remove m-0 --wait -f json'
        )
        self.assertEqual({'m-1': self.before['m-1']}, said.json['members'])
        self.assertEqual('shop', said.json['name'])

    def test_one_that_fails_is_told_and_leaves_all_as_it_was(self):
        self.cloud.faults.ruin('server', reason='no disk')
        self.write(documents.servers(3))
        said = self.run_shell('update shop -f web.yaml --wait', code=1)
        self.assertIn('The update failed: member m-2: no disk', said.err)
        view = self.run_shell('show shop -f json').json
        self.assertEqual(self.before, view['members'])

    def test_it_needs_a_document(self):
        said = self.run_shell('update shop', code=1)
        self.assertIn('Name a document', said.err)


class CreateTest(served.ShellTest):
    def test_a_file_becomes_a_cluster_and_each_member_is_told_of(self):
        self.write(documents.SMALL)
        said = self.run_shell(
            'create -f web.yaml shop --property owner=ann --tag live '
            '--tag test --wait -f json'
        )
        self.assertEqual('shop', said.json['name'])
        self.assertEqual('ACTIVE', said.json['status'])
        self.assertEqual({'owner': 'ann'}, said.json['properties'])
        self.assertEqual(['live', 'test'], said.json['tags'])
        for name in ('net', 'data', 'db', 'web'):
            self.assertIn(f'{name} is ACTIVE', said.err)
        self.assert_built(documents.SMALL, self.show(said.json['id']))

    def test_the_same_id_is_the_same_cluster(self):
        self.write(documents.servers(1))
        line = (
            'create --file web.yaml --id '
            '0a2e5cbe-4ec4-4bd1-93ae-5a7a58b9a3f1 -f value -c id'
        )
        self.assertEqual(self.run_shell(line).out, self.run_shell(line).out)
        self.assertEqual(1, len(self.service.list(base.ANN)))

    def test_a_document_comes_from_standard_input_too(self):
        self.run_shell(
            'create -f - --wait -f value -c status',
            stdin='instances: [{name: data, type: volume, spec: {size: 1}}]',
        )

    def test_a_file_may_be_called_like_a_format(self):
        self.write(documents.servers(1), 'json')
        said = self.run_shell('create --file json -f json')
        self.assertEqual(['m-0'], [*said.json['members']])

    def test_what_is_neither_file_nor_format_is_named(self):
        said = self.run_shell('create -f jsno', code=1)
        self.assertIn('jsno is no file (nor an output format)', said.err)

    def test_all_faults_are_told_a_line_each_with_their_places(self):
        self.write(FAULTY)
        lines = self.run_shell('create -f web.yaml', code=1).err.splitlines()
        self.assertEqual('2 faults in the document', lines[0])
        for path in ('instances[0].spec.flavor: ', 'groups[0].spec.scope: '):
            self.assertEqual(
                1, sum(line.startswith(path) for line in lines), lines
            )

    def test_a_repeated_key_is_refused(self):
        self.write('instances: []\ngroups: []\ninstances: []\n')
        said = self.run_shell('create -f web.yaml', code=1)
        self.assertIn('instances: this key is repeated', said.err)

    def test_a_cluster_that_cannot_be_fails_with_its_reason(self):
        self.write(CROWD)
        said = self.run_shell('create -f web.yaml --wait', code=1)
        self.assertIn('is ERROR: No placement', said.err)
        self.assertEqual('', said.out)

    def test_quietly_only_the_answer_is_told(self):
        self.write(documents.servers(1))
        said = self.run_shell(
            'create -f web.yaml --wait -f value -c status', is_quiet=True
        )
        self.assertEqual(('ACTIVE\n', ''), (said.out, said.err))


class PlanTest(served.ShellTest):
    def test_a_plan_builds_nothing(self):
        self.write(documents.SMALL)
        plan = self.run_shell('plan -f web.yaml -f json').json
        self.assertEqual('feasible', plan['verdict'])
        self.assertEqual(
            plan['members']['db']['domains']['rack'],
            plan['members']['data']['domains']['rack'],
        )
        self.assert_nothing_left()

    def test_no_plan_is_told_with_reasons_and_a_code_of_its_own(self):
        self.write(CROWD)
        said = self.run_shell('plan -f web.yaml -f json', code=2)
        self.assertEqual('infeasible', said.json['verdict'])
        self.assertNotEqual([], said.json['reasons'])

    def test_a_held_plan_is_built_as_it_was_told(self):
        self.write(documents.SMALL)
        plan = self.run_shell('plan -f web.yaml --hold 600 -f json').json
        shown = self.run_shell('plan show', plan['id'], '-f', 'json').json
        self.assertEqual(plan['members'], shown['members'])

        built = self.run_shell(
            'create shop --wait -f json --plan', plan['id']
        ).json
        self.assertEqual((plan['id'], 'shop'), (built['id'], built['name']))
        self.assertEqual(
            plan['members']['db']['domains'],
            built['members']['db']['domains'],
        )

    def test_a_plan_can_be_given_back(self):
        self.write(documents.servers(1))
        plan_id = self.run_shell(
            'plan -f web.yaml --hold 600 -f value -c id'
        ).out.strip()
        self.run_shell('plan release', plan_id)
        said = self.run_shell('plan show', plan_id, code=1)
        self.assertIn(plan_id, said.err)
        self.assertEqual({}, dict(self.cloud.world.holds))


class LookTest(served.ShellTest):
    """One cluster is there, and looked at from all sides."""

    def setUp(self):
        super().setUp()
        self.cluster = self.build(documents.SMALL)
        self.assert_built(documents.SMALL, self.cluster)

    def test_a_cluster_is_shown_by_name_in_any_format(self):
        shown = self.run_shell('show small -f json').json
        self.assertEqual(self.cluster['members'], shown['members'])
        self.assertEqual(self.cluster['groups'], shown['groups'])

        table = self.run_shell('show small').out
        (db,) = (line for line in table.splitlines() if ' db  ACTIVE' in line)
        self.assertIn('zone-1/rack-1/host-1', db)

    def test_members_are_listed_in_order_and_shown_by_name(self):
        said = self.run_shell('member list small -f value -c Member')
        self.assertEqual('net\ndata\ndb\nweb\n', said.out)

        member = self.run_shell('member show small db -f json').json
        self.assertEqual(self.cluster['members']['db']['id'], member['id'])

        said = self.run_shell('member show small none', code=1)
        self.assertIn('none', said.err)

    def test_events_are_told_in_order_and_followed_to_the_end(self):
        said = self.run_shell('event list small -f json --limit 3').json
        self.assertEqual([1, 2, 3], [event['ID'] for event in said])

        lines = self.run_shell('event list small --follow').out.splitlines()
        self.assertIn('create: begun', lines[0])
        self.assertIn('every member is ready', lines[-1])

    def test_the_topology_is_drawn(self):
        said = self.run_shell('topology show small --svg small.svg')
        self.assertEqual(
            [
                'zone-1',
                '└─ rack-1: data',
                '   └─ host-1: db',
                'zone-2',
                '└─ rack-2',
                '   └─ host-2: web',
                '',
                'affinity-of-db: hard affinity at rack, kept: db, data',
                'anti-affinity-of-db: hard anti-affinity at rack, kept: '
                'db, web',
                'spread-of-db: hard spread at host, kept: db, web',
            ],
            said.out.splitlines(),
        )
        picture = (self.folder / 'small.svg').read_text()
        for told in ('rack-1', 'host-2', 'db: server, ACTIVE', 'kept'):
            self.assertIn(told, picture)

        told = self.run_shell('topology show small -f json').json
        self.assertEqual(['zone', 'rack', 'host'], told['levels'])

    def test_nothing_is_seen_or_touched_from_another_project(self):
        cluster_id = self.cluster['id']
        for line in (
            'show',
            'delete',
            'member list',
            'event list',
            'topology show',
            'set --name mine',
        ):
            said = self.run_shell(line, cluster_id, token=api.BOB, code=1)
            self.assertIn(f'{cluster_id} could not be found', said.err, line)
        said = self.run_shell('show small', token=api.BOB, code=1)
        self.assertIn("No cluster with a name or ID of 'small'", said.err)
        self.assertEqual(self.cluster, self.show(cluster_id))


class ListTest(served.ShellTest):
    def setUp(self):
        super().setUp()
        for name, tags in (('b', ['x']), ('a', ['x', 'y']), ('a', [])):
            self.create(documents.servers(1), name=name, tags=tags)

    def names(self, line):
        return self.run_shell(f'list -f value -c Name {line}').out.split()

    def test_it_is_filtered_and_sorted_and_cut(self):
        self.assertEqual(['b', 'a', 'a'], self.names(''))
        self.assertEqual(['a', 'a', 'b'], self.names('--sort name:asc'))
        self.assertEqual(['a'], self.names('--tag x --tag y'))
        self.assertEqual(['b', 'a'], self.names('--limit 2'))

    def test_it_shows_more_if_asked(self):
        rows = self.run_shell('list --long --name b -f json').json
        self.assertEqual(['x'], rows[0]['Tags'])
        self.assertEqual('alpha', rows[0]['Project'])

    def test_all_projects_are_for_administrators(self):
        self.run_shell('list --all-projects', code=1)
        said = self.run_shell('list --all-projects -f json', token=api.ADA)
        self.assertEqual(3, len(said.json))

    def test_those_of_another_project_are_for_administrators(self):
        project = 'c' * 32
        theirs = f'{project}:cat:member'
        self.write(documents.servers(1))
        self.run_shell('create -f web.yaml theirs --wait', token=theirs)
        said = self.run_shell(f'show theirs --project {project}', code=1)
        self.assertIn('could not be found', said.err)
        line = f'show theirs --project {project} -f value -c status'
        said = self.run_shell(line, token=api.ADA)
        self.assertEqual('ACTIVE', said.out.strip())

    def test_a_name_of_two_clusters_names_none(self):
        said = self.run_shell('show a', code=1)
        self.assertIn('More than one cluster', said.err)

    def test_the_limits_are_shown_with_what_is_used(self):
        rows = self.run_shell('limits show -f json').json
        used = {row['Resource']: row['Used'] for row in rows}
        self.assertEqual({'clusters': 3, 'members': 3, 'held_plans': 0}, used)


class ChangeTest(served.ShellTest):
    def test_marks_are_added_and_dropped(self):
        cluster_id = self.create(
            documents.servers(1),
            name='shop',
            metadata={'owner': 'ann', 'stage': 'test'},
            tags=['x'],
        )
        self.run_shell('set shop --name s2 --property owner=bo --tag y')
        view = self.show(cluster_id)
        self.assertEqual('s2', view['name'])
        self.assertEqual({'owner': 'bo', 'stage': 'test'}, view['metadata'])
        self.assertEqual({'x', 'y'}, {*view['tags']})

        self.run_shell('unset s2 --property owner --tag x')
        view = self.show(cluster_id)
        self.assertEqual({'stage': 'test'}, view['metadata'])
        self.assertEqual(['y'], view['tags'])

        self.run_shell('set s2 --no-property --no-tag --tag z')
        view = self.show(cluster_id)
        self.assertEqual(({}, ['z']), (view['metadata'], view['tags']))

    def test_a_delete_is_waited_for(self):
        cluster = self.build(documents.SMALL)
        self.run_shell('delete small --wait')
        self.assertIsNone(self.show(cluster['id']))
        self.assert_nothing_left()

    def test_of_several_the_others_are_deleted_all_the_same(self):
        self.create(documents.servers(1), name='one')
        self.create(documents.servers(1), name='two')
        said = self.run_shell('delete one none two --wait', code=1)
        self.assertIn('none: No cluster', said.err)
        self.assertEqual([], [*self.service.list(base.ANN)])
        self.assert_nothing_left()

    def test_what_could_not_be_removed_fails_the_wait(self):
        cluster = self.build(documents.servers(1))
        self.cloud.faults.fail(
            'delete', error=RuntimeError('a defect'), times=None
        )
        said = self.run_shell('delete --wait', cluster['id'], code=1)
        self.assertIn(f'Cluster {cluster["id"]} is ERROR', said.err)
        self.delete_for_good(cluster['id'])


class UpkeepTest(served.ShellTest):
    def setUp(self):
        super().setUp()
        self.cluster = self.build(
            {**documents.servers(2, documents.APART), 'name': 'shop'}
        )

    def test_a_check_tells_what_it_found_by_its_code_too(self):
        said = self.run_shell('check shop --wait -f json')
        self.assertEqual('COMPLIANT', said.json['compliance']['status'])
        places = self.cloud.places(self.cluster['id'])
        self.cloud.migrate(self.cluster['members']['m-0']['id'], places['m-1'])
        said = self.run_shell('check shop --wait', code=2)
        self.assertIn('DRIFTED at', said.out)
        self.assertIn(
            'anti-affinity group anti-affinity-of-m does not hold for '
            'm-0, m-1 (host-2)',
            said.out,
        )
        self.assertIn(
            '"holds": false', self.run_shell('topology show shop -f json').out
        )

    def test_what_is_lost_is_made_again(self):
        self.cloud.lose(self.cluster['members']['m-0']['id'])
        said = self.run_shell('check shop --wait -f json', code=2)
        self.assertEqual('DEGRADED', said.json['compliance']['status'])
        said = self.run_shell('heal shop --wait -f json')
        self.assertEqual('COMPLIANT', said.json['compliance']['status'])
        self.assertIn('m-0 is ACTIVE', said.err)

    def test_a_repair_is_shown_and_made(self):
        places = self.cloud.places(self.cluster['id'])
        self.cloud.migrate(self.cluster['members']['m-0']['id'], places['m-1'])
        said = self.run_shell('repair shop --dry-run')
        self.assertIn('host-2 -> ', said.out)
        self.assertEqual(
            'DRIFTED',
            self.run_shell('check shop --wait -f json', code=2).json[
                'compliance'
            ]['status'],
        )
        said = self.run_shell('repair shop --wait -f json')
        self.assertEqual('COMPLIANT', said.json['compliance']['status'])
        self.assertEqual(
            [], self.run_shell('repair shop --dry-run -f json').json['moves']
        )

    def test_servers_go_off_and_on(self):
        for verb, status in (
            ('stop', 'STOPPED'),
            ('start', 'ACTIVE'),
            ('suspend', 'SUSPENDED'),
            ('resume', 'ACTIVE'),
        ):
            said = self.run_shell(f'{verb} shop --wait -f value -c status')
            self.assertEqual(f'{status}\n', said.out)

    def test_it_is_copied_and_rid_of_the_copy(self):
        said = self.run_shell('snapshot create shop --name a --wait -f json')
        self.assertEqual('AVAILABLE', said.json['status'])
        made = said.json['id']
        self.assertEqual({'m-0', 'm-1'}, {*said.json['document']['sources']})
        said = self.run_shell(f'snapshot show shop {made}')
        self.assertIn('m-0: image ', said.out)
        self.run_shell(f'snapshot delete shop {made} --wait')
        self.assertEqual(
            [], self.service.snapshots(base.ANN, self.cluster['id'])
        )

    def test_what_cannot_be_done_fails_with_its_reason(self):
        self.cloud.lose(self.cluster['members']['m-0']['id'])
        said = self.run_shell('stop shop --wait', code=1)
        self.assertIn('stop: member m-0: its server is gone', said.err)
        # Whether the other one was stopped by then is by chance.
        other = self.cloud.item(self.cluster['members']['m-1']['id'])
        other.status = 'PAUSED'
        said = self.run_shell('heal shop --wait', code=2)
        self.assertIn('m-1: its server is PAUSED', said.out)
        other.status = 'ACTIVE'
        self.run_shell('heal shop --wait')
        self.run_shell('stop shop --wait')
        said = self.run_shell('heal shop', code=1)
        self.assertIn('it has to be ACTIVE', said.err)


class CatalogTest(served.ShellTest):
    """The service is found as every other one is."""

    def run_in(self, catalog, line, **options):
        gate = keystone.Keystone(api.ANN, 'alpha', catalog)
        self.addCleanup(gate.stop)
        login = {
            'auth-url': gate.url,
            'username': 'ann',
            'password': 'secret',
            'user-domain-id': 'default',
            'project-id': 'alpha',
        }
        said = [
            part
            for name, value in login.items()
            for part in (f'--os-{name}', value)
        ]
        return self.run_openstack(*said, 'vcluster', *line.split(), **options)

    def test_by_the_catalog(self):
        self.create(documents.servers(1), name='one')
        for url in (self.address, f'{self.address}/v2/alpha'):
            said = self.run_in({'vcluster': url}, 'list -f value -c Name')
            self.assertEqual('one\n', said.out)

    def test_a_cloud_without_it_is_told_of(self):
        said = self.run_in({'compute': 'http://nova/'}, 'list', code=1)
        self.assertIn('no endpoint of type vcluster', said.err)
