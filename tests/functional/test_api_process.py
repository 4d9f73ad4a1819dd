# SPDX-License-Identifier: Apache-2.0
"""vcluster-service as the process it is: started, asked, stopped."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import fixtures

from heat_vcluster import db
from tests import base
from tests.functional import api

#: A real configuration; nothing of the cloud is asked in these tests.
FILE = """
[database]
connection = sqlite:///{folder}/vcluster.sqlite
[api]
auth = noauth
host = 127.0.0.1
port = 0
[service_auth]
auth_type = none
"""
NETWORK = {'instances': [{'name': 'net', 'type': 'network', 'spec': {}}]}
WSGI = """
from wsgiref import util
from heat_vcluster.wsgi.api import application

def start_response(status, headers):
    print(status)

env = {'PATH_INFO': '/healthcheck'}
util.setup_testing_defaults(env)
print(b''.join(application(env, start_response)).decode())
"""


class ProcessTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.file = self.configure(FILE.format(folder=self.folder))

    def configure(self, text):
        path = self.folder / 'vcluster.conf'
        path.write_text(text)
        return path

    def start(self, *arguments, command='service'):
        process = subprocess.Popen(
            [sys.executable, '-m', f'heat_vcluster.cmd.{command}', *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        # Whoever reads its log is not to wait for ever.
        doom = threading.Timer(self.patience, process.kill)
        doom.start()
        self.addCleanup(doom.cancel)
        return process

    def hear(self, process, words):
        """Read the log until the words come; return what they matched."""
        told = []
        for line in process.stderr:
            told.append(line)
            found = re.search(words, line)
            if found:
                return found
        self.fail(f'It ended without {words!r}: {"".join(told)}')

    def run_service(self):
        process = self.start('--config-file', str(self.file))
        where = self.hear(process, 'Listening on http://(.*)$')[1]
        connection = http.client.HTTPConnection(where, timeout=self.patience)
        self.addCleanup(connection.close)
        return process, connection

    def test_it_answers_until_it_is_told_to_stop(self):
        process, connection = self.run_service()
        connection.request('GET', '/healthcheck')
        answer = connection.getresponse()
        self.assertEqual('ok', json.load(answer)['status'])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(self.patience))

    def test_a_request_that_has_begun_is_answered(self):
        process, connection = self.run_service()
        body = json.dumps({'vcluster': NETWORK}).encode()
        connection.putrequest('POST', '/v2/alpha/vclusters/validate')
        connection.putheader('X-Auth-Token', api.ANN)
        connection.putheader('Content-Type', 'application/json')
        connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body[:10])
        # Another one is answered, so the first has reached its thread.
        other = http.client.HTTPConnection(connection.host, connection.port)
        self.addCleanup(other.close)
        other.request('GET', '/')
        self.assertEqual(200, other.getresponse().status)
        process.send_signal(signal.SIGTERM)
        self.hear(process, 'Stopping')
        connection.send(body[10:])
        self.assertEqual(204, connection.getresponse().status)
        self.assertEqual(0, process.wait(self.patience))

    def test_what_is_wrong_with_the_configuration_is_told(self):
        bad = self.configure('[api]\nauth = perhaps\n')
        process = self.start('--config-file', str(bad))
        told = process.stderr.read()
        self.assertEqual(1, process.wait(self.patience))
        self.assertIn('perhaps', told)
        self.assertNotIn('Traceback', told)

    def test_a_port_that_is_taken_is_told(self):
        _, connection = self.run_service()
        process = self.start(
            *('--config-file', str(self.file)),
            *('--port', str(connection.port)),
        )
        told = process.stderr.read()
        self.assertEqual(1, process.wait(self.patience))
        self.assertIn('vcluster-service: [api]/host, port: ', told)
        self.assertIn(str(connection.port), told)
        self.assertNotIn('Traceback', told)

    def test_the_api_alone_wants_others_to_build(self):
        process = self.start('--config-file', str(self.file), command='api')
        told = process.stderr.read()
        self.assertEqual(1, process.wait(self.patience))
        self.assertIn('[work]/jobboard is not set', told)

    def test_any_other_server_has_the_application(self):
        done = subprocess.run(
            [sys.executable, '-c', WSGI],
            env={**os.environ, 'HEAT_VCLUSTER_CONFIG': str(self.file)},
            capture_output=True,
            text=True,
            timeout=self.patience,
        )
        self.assertIn('200 OK\n{"status": "ok"', done.stdout, done.stderr)

    def test_what_is_measured_is_told_at_a_port_of_its_own(self):
        store = db.Store(f'sqlite:///{self.folder}/vcluster.sqlite')
        self.addCleanup(store.close)
        store.create_cluster(
            id='one', project_id='secret', user_id='u', document={}, members=[]
        )
        self.configure(self.file.read_text() + '[metrics]\nport = 0\n')
        process = self.start('--config-file', str(self.file))
        address = self.hear(process, r'Metrics at (http://127\S+)')[1]
        with urllib.request.urlopen(address, timeout=self.patience) as answer:
            text = answer.read().decode()
        self.assertRegex(text, r'vcluster_clusters\{status="\w+"\} 1\.0')
        self.assertIn('# TYPE vcluster_phase_seconds histogram', text)
        # Numbers of all projects together, and nothing of any one of them.
        self.assertNotIn('secret', text)
