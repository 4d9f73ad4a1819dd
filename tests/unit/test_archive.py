# SPDX-License-Identifier: Apache-2.0
"""Files of problems and plans, and decisions saved as they are made."""

from __future__ import annotations

import gzip
import json
import pathlib
import stat

import fixtures

from heat_vcluster import archive, planner
from heat_vcluster.placement import format as documents
from heat_vcluster.placement import joint, model
from tests import base
from tests.unit.placement import worlds


class FilesTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def test_what_is_written_is_read(self):
        for name in ('plain.json', 'small.json.gz'):
            path = self.folder / name
            archive.write(path, {'a': ['\u00e4', 1]})
            self.assertEqual({'a': ['\u00e4', 1]}, archive.read(path))
        self.assertEqual(b'\x1f\x8b', path.read_bytes()[:2])

    def test_gzip_is_told_by_the_content(self):
        path = self.folder / 'odd.json'
        path.write_bytes(gzip.compress(b'[1]'))
        self.assertEqual([1], archive.read(path))

    def test_equal_documents_are_equal_files(self):
        paths = [self.folder / f'{n}.json.gz' for n in range(2)]
        for path in paths:
            archive.write(path, {'a': 1})
        self.assertEqual(*(path.read_bytes() for path in paths))

    def test_what_is_no_document(self):
        whole = gzip.compress(json.dumps(list(range(999))).encode())
        for content in (
            b'',
            b'{"a":',
            b'\xff\xfe\x00',
            whole[:-20],
            whole[:40] + b'\0' * 40,
            b'[' * 200_000,
            b'{"a": [{"b": 1, "c": 2, "b": 3}]}',
        ):
            path = self.folder / 'bad.json'
            path.write_bytes(content)
            self.assertRaises(archive.Unreadable, archive.read, path)
        self.assertRaises(OSError, archive.read, self.folder / 'none.json')

    def test_a_file_is_replaced_whole_or_not_at_all(self):
        path = self.folder / 'plan.json'
        archive.write(path, {'a': 1})
        self.assertRaises(TypeError, archive.write, path, {'a': object()})
        self.assertEqual({'a': 1}, archive.read(path))
        self.assertRaises(
            OSError, archive.write, self.folder / 'none' / 'plan.json', {}
        )
        self.assertEqual([path], list(self.folder.iterdir()))

    def test_what_is_too_much_is_not_unpacked(self):
        self.useFixture(
            fixtures.MonkeyPatch('heat_vcluster.archive.MOST_BYTES', 1000)
        )
        path = self.folder / 'big.json'
        for size, is_read in ((990, True), (999, False), (10**6, False)):
            text = json.dumps('x' * size).encode()
            for content in (text, gzip.compress(text)):
                path.write_bytes(content)
                if is_read:
                    self.assertEqual('x' * size, archive.read(path))
                else:
                    error = self.assertRaises(
                        archive.Unreadable, archive.read, path
                    )
                    self.assertEqual('more than 1,000 bytes', str(error))


class PlacesTestCase(base.TestCase):
    """Where a file can be written, and what becomes of what is there."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def assertRefused(self, path):
        """It is found before anything is written, and so afterwards."""
        for call in (
            lambda: archive.check_writable(path),
            lambda: archive.write_bytes(path, b'new'),
        ):
            error = self.assertRaises(OSError, call)
            self.assertEqual(str(path), error.filename)
            self.assertTrue(error.strerror)

    def test_where_nothing_can_be_written(self):
        (self.folder / 'file').write_bytes(b'old')
        (self.folder / 'loop').symlink_to('loop')
        (self.folder / 'lost').symlink_to('none/there')
        for name in ('none/file', 'file/file', 'loop', 'lost', '', 'x' * 300):
            self.assertRefused(self.folder / name)
        self.assertEqual(b'old', (self.folder / 'file').read_bytes())

    def test_looking_leaves_nothing(self):
        archive.check_writable(self.folder / 'file')
        self.assertEqual([], list(self.folder.iterdir()))

    def test_a_link_stays_and_its_file_is_replaced(self):
        target, link = self.folder / 'in' / 'target', self.folder / 'link'
        target.parent.mkdir()
        link.symlink_to('in/target')
        for content in (b'first', b'second'):
            archive.check_writable(link)
            archive.write_bytes(link, content)
            self.assertTrue(link.is_symlink())
            self.assertEqual(content, target.read_bytes())
        self.assertEqual([target], list(target.parent.iterdir()))

    def test_a_file_that_is_replaced_keeps_its_mode(self):
        path = self.folder / 'file'
        path.write_bytes(b'old')
        path.chmod(0o640)
        archive.write_bytes(path, b'new')
        self.assertEqual(0o640, stat.S_IMODE(path.stat().st_mode))

    def test_the_longest_name_that_there_can_be(self):
        path = self.folder / ('x' * 255)
        archive.check_writable(path)
        archive.write_bytes(path, b'new')
        self.assertEqual(b'new', path.read_bytes())

    def test_an_error_names_what_was_asked_for(self):
        full = pathlib.Path('/dev/full')
        if not full.exists():
            self.skipTest('there is no /dev/full')
        error = self.assertRaises(OSError, archive.write_bytes, full, b'new')
        self.assertEqual('/dev/full', error.filename)

    def test_names_of_one_file(self):
        path, link = self.folder / 'file', self.folder / 'link'
        link.symlink_to('file')
        self.assertTrue(archive.are_one(path, link))
        self.assertFalse(archive.are_one(path, self.folder / 'other'))
        null = pathlib.Path('/dev/null')
        self.assertFalse(archive.are_one(null, null))


class RecorderTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.folder = pathlib.Path(folder) / 'saved' / 'here'
        self.log = self.useFixture(fixtures.FakeLogger())
        self.problem = model.Problem(
            worlds.snapshot(worlds.racks(2, 2)),
            tuple(worlds.servers('m', 3)),
            (worlds.rule('anti-affinity', 'host', 'm-0', 'm-1', 'm-2'),),
        )

    def planner(self, **options):
        return planner.Planner(
            joint.JointSolver(),
            deadline=300.0,
            record=archive.Recorder(self.folder),
            **options,
        )

    def saved(self, kind):
        return [
            archive.read(path)
            for path in sorted(self.folder.glob(f'*.{kind}.json.gz'))
        ]

    def test_a_decision_is_saved_and_comes_out_the_same_again(self):
        plan = self.planner().answer(self.problem, seed=7)
        (posed,), (planned,) = self.saved('problem'), self.saved('plan')
        self.assertEqual(7, posed['meta']['seed'])
        self.assertEqual(dict(plan.placement), planned['placement'])
        again = joint.JointSolver().solve(
            documents.problem_from(posed),
            deadline=300.0,
            seed=posed['meta']['seed'],
        )
        self.assertEqual(plan.placement, again.plan.placement)

    def test_nobody_else_may_read_it(self):
        self.planner().answer(self.problem)
        modes = {
            stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()
        }
        self.assertEqual({0o600}, modes)
        self.assertEqual(0o700, stat.S_IMODE(self.folder.stat().st_mode))

    def test_every_decision_has_files_of_its_own(self):
        planning = self.planner()
        for _ in range(3):
            planning.answer(self.problem)
        self.assertEqual(3, len(self.saved('problem')))
        self.assertEqual(3, len(self.saved('plan')))

    def test_what_cannot_be_written_is_told_and_nothing_fails(self):
        self.folder.parent.mkdir()
        self.folder.write_text('in the way')
        plan = self.planner().answer(self.problem)
        self.assertEqual(3, len(plan.placement))
        self.assertIn('could not be saved', self.log.output)
