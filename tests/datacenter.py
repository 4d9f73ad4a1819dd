# SPDX-License-Identifier: Apache-2.0
"""A data centre of thousands of hosts, in a real placement service.

openstack-placement runs in this process, on SQLite, behind a real socket.
Its providers are written straight into the database: through the API they
would take minutes. Nova is only as much as lists the host aggregates; what
it says is what placement's rows say.
"""

import atexit
import collections
import functools
import json
import pathlib
import random
import shutil
import sqlite3
import tempfile
import threading
import uuid
import warnings
from socketserver import ThreadingMixIn
from urllib import parse
from wsgiref import simple_server

from keystoneauth1 import noauth
from keystoneauth1 import session as ks
from oslo_config import cfg

from heat_vcluster.cloud.openstack import errors, session, settings

#: Racks are known by aggregates; rows, for those who ask, by traits.
LEVELS = settings.parse_levels(
    ['zone=availability_zone', 'rack=aggregate:rack']
)
SPECIAL = 'CUSTOM_OFFLOAD'
ROW = 'CUSTOM_ROW_'  # of two racks each
#: Every host has these; those of libvirt have some dozens.
COMMON = (
    'OWNER_NOVA',
    'COMPUTE_NODE',
    *(f'CUSTOM_COMMON_{n}' for n in range(5)),
)
TOTALS = {
    'VCPU': (32, 2, 4.0),
    'MEMORY_MB': (131072, 8192, 1.0),
    'DISK_GB': (2000, 100, 1.0),
}  # total, reserved, allocation ratio


TABLES = (
    'allocations',
    'consumers',
    'inventories',
    'placement_aggregates',
    'resource_provider_aggregates',
    'resource_provider_traits',
    'resource_providers',
)


def name_of(rack, number):
    return f'r{rack:03d}h{number:02d}'


class DataCenter:
    """``racks`` racks of ``per_rack`` hosts, dealt in turn over ``zones``.

    ``fill``: the mean part of a host's processors that others have. Racks
    in ``full`` have no memory left, those in ``special`` bear a trait, and
    nobody is in those that are ``idle``. Only the one that was made last
    may be used: a process has one placement, as that keeps its database in
    a global.
    """

    def __init__(
        self,
        *,
        racks=250,
        per_rack=40,
        zones=3,
        fill=0.5,
        full=(),
        special=(),
        idle=(),
        seed=1,
    ):
        self.racks, self.per_rack, self.zones = racks, per_rack, zones
        self.seen = []  # (method, path, query) of each request
        self.sent = 0  # bytes of all answers
        self._application, self._database = _placement()
        self._random = random.Random(seed)
        self.aggregates = self._aggregates()
        self._fill_database(fill, full, special, idle)
        self._server = _serve(self)
        host, port = self._server.server_address
        self.url = f'http://{host}:{port}'

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    # -- what is asked of it -------------------------------------------------

    def services(self, options=None):
        """Return the services as our account sees them."""
        keystone = ks.Session(auth=Catalog(self.url))
        return session.Services.of(
            keystone, options or settings.Settings(), errors.Secrets()
        )

    def asked(self, since=0):
        """Count requests to placement by method and first part of the path."""
        return collections.Counter(
            f'{method} /{path.split("/")[2]}'
            for method, path, _ in self.seen[since:]
            if path.startswith('/placement/')
        )

    def rack_of(self, host):
        return host.partition('h')[0]

    def occupy(self, rack, resources):
        """Let others take so much of every host of a rack, unasked."""
        with sqlite3.connect(self._database) as database:
            ids = dict(
                database.execute('SELECT name, id FROM resource_providers')
            )
            hosts = [ids[name_of(rack, n)] for n in range(self.per_rack)]
            classes = _classes(database)
            for host in hosts:
                self._consume(database, host, classes, resources)
                database.execute(
                    'UPDATE resource_providers SET generation = generation + 1'
                    ' WHERE id = ?',
                    (host,),
                )

    # -- making --------------------------------------------------------------

    def _aggregates(self):
        """Nova's aggregates: one for each rack, one for each zone."""
        racks = [
            {
                'uuid': str(uuid.UUID(int=rack + 1)),
                'metadata': {'rack': f'r{rack:03d}'},
                'hosts': [name_of(rack, n) for n in range(self.per_rack)],
            }
            for rack in range(self.racks)
        ]
        zones = [
            {
                'uuid': str(uuid.UUID(int=10**6 + zone)),
                'metadata': {'availability_zone': f'az{zone}'},
                'hosts': [
                    host
                    for rack in range(zone, self.racks, self.zones)
                    for host in racks[rack]['hosts']
                ],
            }
            for zone in range(self.zones)
        ]
        return [*racks, *zones]

    def _fill_database(self, fill, full, special, idle):
        with sqlite3.connect(self._database) as database:
            for table in TABLES:
                database.execute(f'DELETE FROM {table}')
            hosts = self._providers(database)
            classes = _classes(database)
            for host, (rack, _) in hosts.items():
                taken = self._random.choice([0, 0, 1, 1, 2]) * fill
                if rack in idle:
                    continue
                if rack in full:
                    self._consume(
                        database, host, classes, {'MEMORY_MB': 122880}
                    )
                elif taken:
                    self._consume(
                        database,
                        host,
                        classes,
                        {
                            'VCPU': int(taken * 60),
                            'MEMORY_MB': int(taken * 60000),
                            'DISK_GB': int(taken * 600),
                        },
                    )
            self._give_traits(database, hosts, special)
            self._group(database, hosts)

    def _providers(self, database):
        hosts = {
            rack * self.per_rack + number + 1: (rack, number)
            for rack in range(self.racks)
            for number in range(self.per_rack)
        }
        database.executemany(
            'INSERT INTO resource_providers (id, uuid, name, generation,'
            ' root_provider_id, created_at) VALUES (?, ?, ?, 1, ?, ?)',
            [
                (
                    host,
                    str(uuid.UUID(int=10**9 + host)),
                    name_of(*where),
                    host,
                    '2026-01-01 00:00:00.000000',
                )
                for host, where in hosts.items()
            ],
        )
        classes = _classes(database)
        database.executemany(
            'INSERT INTO inventories (resource_provider_id,'
            ' resource_class_id, total, reserved, min_unit, max_unit,'
            ' step_size, allocation_ratio) VALUES (?, ?, ?, ?, 1, ?, 1, ?)',
            [
                (host, classes[name], total, reserved, total, ratio)
                for host in hosts
                for name, (total, reserved, ratio) in TOTALS.items()
            ],
        )
        database.execute(
            "INSERT OR IGNORE INTO projects (id, external_id) VALUES (1, 'x')"
        )
        database.execute(
            "INSERT OR IGNORE INTO users (id, external_id) VALUES (1, 'x')"
        )
        return hosts

    def _consume(self, database, host, classes, resources):
        consumer = str(uuid.UUID(int=self._random.getrandbits(128)))
        database.execute(
            'INSERT INTO consumers (uuid, project_id, user_id, generation)'
            ' VALUES (?, 1, 1, 1)',
            (consumer,),
        )
        database.executemany(
            'INSERT INTO allocations (resource_provider_id, consumer_id,'
            ' resource_class_id, used) VALUES (?, ?, ?, ?)',
            [
                (host, consumer, classes[name], amount)
                for name, amount in resources.items()
            ],
        )

    def _give_traits(self, database, hosts, special):
        rows = {rack: f'{ROW}{rack // 2}' for rack in range(self.racks)}
        names = [*COMMON, SPECIAL, *sorted({*rows.values()})]
        database.executemany(
            'INSERT OR IGNORE INTO traits (name) VALUES (?)',
            [(name,) for name in names],
        )
        ids = dict(database.execute('SELECT name, id FROM traits'))
        database.executemany(
            'INSERT INTO resource_provider_traits (trait_id,'
            ' resource_provider_id) VALUES (?, ?)',
            [
                (ids[name], host)
                for host, (rack, _) in hosts.items()
                for name in (
                    *COMMON,
                    rows[rack],
                    *([SPECIAL] if rack in special else ()),
                )
            ],
        )

    def _group(self, database, hosts):
        ids = {name_of(*where): host for host, where in hosts.items()}
        for number, aggregate in enumerate(self.aggregates, 1):
            database.execute(
                'INSERT INTO placement_aggregates (id, uuid) VALUES (?, ?)',
                (number, aggregate['uuid']),
            )
            database.executemany(
                'INSERT INTO resource_provider_aggregates'
                ' (resource_provider_id, aggregate_id) VALUES (?, ?)',
                [(ids[name], number) for name in aggregate['hosts']],
            )

    # -- serving ------------------------------------------------------------

    def __call__(self, environ, start_response):
        path = environ['PATH_INFO']
        query = parse.parse_qs(environ.get('QUERY_STRING', ''))
        self.seen.append((environ['REQUEST_METHOD'], path, query))
        if path == '/compute/os-aggregates':
            body = json.dumps({'aggregates': self.aggregates}).encode()
            self.sent += len(body)
            start_response('200 OK', [('Content-Length', str(len(body)))])
            return [body]
        if path.startswith('/placement/'):
            environ['SCRIPT_NAME'] = '/placement'
            environ['PATH_INFO'] = path.removeprefix('/placement')
            body = b''.join(self._application(environ, start_response))
            self.sent += len(body)
            return [body]
        start_response('404 Not Found', [('Content-Length', '0')])
        return [b'']


class Catalog(noauth.NoAuth):
    """Knows where each service is, and is let in as an administrator."""

    def __init__(self, url):
        super().__init__()
        self._url = url

    def get_headers(self, session, **kwargs):
        return {'X-Auth-Token': 'admin'}

    def get_endpoint(self, session, service_type=None, **kwargs):
        return f'{self._url}/{service_type}'


def _classes(database):
    return dict(database.execute('SELECT name, id FROM resource_classes'))


@functools.cache
def _placement():
    """Return placement's own WSGI application, and where its database is."""
    folder = tempfile.mkdtemp(prefix='vcluster-placement-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = pathlib.Path(folder) / 'placement.sqlite'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from placement import conf, db_api, deploy

        config = cfg.ConfigOpts()
        conf.register_opts(config)
        config.set_override('auth_strategy', 'noauth2', 'api')
        config.set_override(
            'connection', f'sqlite:///{path}', 'placement_database'
        )
        config.set_override('sync_on_startup', True, 'placement_database')
        config([], default_config_files=[], default_config_dirs=[])
        db_api.configure(config)
        return deploy.loadapp(config), path


class _Server(ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class _Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


def _serve(application):
    server = _Server(('127.0.0.1', 0), _Handler)
    server.set_app(application)
    threading.Thread(
        target=server.serve_forever, args=(0.02,), daemon=True
    ).start()
    return server
