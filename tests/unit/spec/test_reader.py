# SPDX-License-Identifier: Apache-2.0
"""Nothing in a text is lost, and no text can do harm."""

import json
import pathlib

import fixtures

from heat_vcluster import exception
from heat_vcluster.spec import loader, reader
from tests.unit.spec import base

YAML = """
name: pair
instances:
- name: web
  type: server
  count: 2
  spec: {flavor: small, image: linux}
- name: data
  type: volume
  spec: {size: 5}
"""


class ReadTest(base.SpecTest):
    def load(self, source):
        return loader.load(source, policies=base.POLICIES)

    def test_yaml_json_mapping_and_file_mean_the_same(self):
        expected = self.load(YAML)
        self.assertEqual(
            ['web-0', 'web-1', 'data'], [m.name for m in expected.members]
        )
        as_json = json.dumps(dict(expected.document))
        self.assertEqual(expected, self.load(as_json))
        self.assertEqual(expected, self.load(json.loads(as_json)))
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for name, text in (('a.yaml', YAML), ('a.json', as_json)):
            path = root / name
            path.write_text(text, encoding='utf-8')
            self.assertEqual(expected, self.load(path))

    def test_file_with_byte_order_mark(self):
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = root / 'a.yaml'
        path.write_text(YAML, encoding='utf-8-sig')
        self.assertEqual('pair', self.load(path).name)

    def test_text_is_never_taken_for_a_path(self):
        [(path, message)] = self.faults_of('/')
        self.assertEqual('', path)
        self.assertTrue(message.endswith("this is '/'"), message)

    def test_missing_file_is_no_fault_of_the_document(self):
        path = pathlib.Path('/nowhere/at/all.yaml')
        self.assertRaises(FileNotFoundError, self.load, path)

    def test_yaml_in_flow_style_is_not_taken_for_json(self):
        text = '{instances: [{name: v, type: volume, spec: {size: 1}}]}'
        self.assertEqual('v', self.load(text).members[0].name)

    def test_dates_stay_text(self):
        text = YAML.replace('image: linux', 'image: 2024-01-01')
        self.assertEqual('2024-01-01', self.load(text).members[0].spec.image)

    def test_merge_keys(self):
        text = """
instances:
- name: a
  type: server
  spec: &common {flavor: small, image: linux, key_name: k}
- name: b
  type: server
  spec: {<<: *common, image: bsd}
- name: c
  type: server
  spec: {<<: [{flavor: large}, *common]}
"""
        loaded = self.load(text)
        specs = [m.spec for m in loaded.members]
        self.assertEqual(
            [
                ('small', 'linux', 'k'),
                ('small', 'bsd', 'k'),
                ('large', 'linux', 'k'),
            ],
            [(s.flavor, s.image, s.key_name) for s in specs],
        )


class RepeatedKeyTest(base.SpecTest):
    """The blueprint's own example has them, and loses members by it."""

    def test_in_yaml_at_any_depth(self):
        text = """
instances:
- name: web
  name: web2
  type: server
  spec:
    flavor: small
    image: linux
    metadata: {a: x, 'b.c': y, 'b.c': z}
instances: []
"""
        found = self.faults_of(text)
        self.assertEqual(
            [
                'instances',
                'instances[0].name',
                "instances[0].spec.metadata['b.c']",
            ],
            sorted(path for path, _ in found),
        )
        for _, message in found:
            self.assertIn('repeated', message)

    def test_in_json_the_blueprint_example(self):
        text = """
{"vcluster": {"name": "c", "instances": {
  "instance": {"name": "db", "type": "server",
               "spec": {"imageRef": "i", "flavorRef": "f"}},
  "instance": {"name": "vol", "type": "block-storage",
               "spec": {"size": 1}}}}}
"""
        [(path, message)] = self.faults_of(text)
        self.assertEqual('vcluster.instances.instance', path)
        self.assertIn('go in a list', message)

    def test_repeated_in_a_merged_mapping(self):
        text = """
instances:
- name: a
  type: volume
  spec: {<<: {size: 1, size: 2}}
"""
        found = self.faults_of(text)
        self.assertEqual(['instances[0].spec.size'], [p for p, _ in found])

    def test_an_equal_value_is_no_excuse(self):
        text = '{"name": "a", "name": "a", "instances": [{"name": "v", '
        text += '"type": "volume", "spec": {"size": 1}}]}'
        self.assertEqual(['name'], [p for p, _ in self.faults_of(text)])

    def test_other_faults_are_said_as_well(self):
        text = YAML + 'name: again\ngroups: [{name: g}]\n'
        found = dict(self.faults_of(text))
        self.assertEqual(
            {'name', 'groups[0].spec', 'groups[0].members'}, set(found)
        )


class HarmfulTextTest(base.SpecTest):
    def assert_unreadable(self, words, source):
        [(path, message)] = self.faults_of(source)
        self.assertEqual('', path)
        self.assertIn(words, message)

    def test_no_text(self):
        [(path, message)] = self.faults_of('')
        self.assertEqual('', path)
        self.assertIn('this is null', message)

    def test_broken_yaml_names_line_and_column(self):
        self.assert_unreadable('line 2, column 5', 'a: b\nc: d: e\n')

    def test_broken_json(self):
        self.assert_unreadable('line 1', '{"instances": [}')

    def test_two_documents(self):
        self.assert_unreadable('not YAML', YAML + '---\n' + YAML)

    def test_control_characters(self):
        self.assert_unreadable('not YAML', 'name: "\x07"')

    def test_tags_of_other_kinds(self):
        for tag in ('!!python/object/apply:os.getcwd []', '!!binary aGk='):
            self.assert_unreadable('is not allowed', f'name: {tag}')

    def test_too_long(self):
        text = YAML + '#' * reader.MAX_BYTES
        self.assert_unreadable('1024 KiB', text)
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = root / 'long.yaml'
        path.write_text(text, encoding='utf-8')
        self.assert_unreadable('1024 KiB', path)

    def test_not_utf8(self):
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = root / 'latin.yaml'
        path.write_bytes('name: \xe9'.encode('latin-1'))
        self.assert_unreadable('UTF-8', path)

    def test_nested_without_end(self):
        self.assert_unreadable('too deep', '[' * 20_000)
        deep = '{"a":' * 20_000 + '1' + '}' * 20_000
        self.assert_unreadable('too deep', deep)
        self.assert_unreadable('too deep', 'a: ' + '[' * 60 + ']' * 60)

    def test_an_alias_in_itself(self):
        self.assert_unreadable('too deep', 'instances: &a [*a]')

    def test_a_mapping_in_itself(self):
        source = {'instances': []}
        source['instances'].append(source)
        self.assert_unreadable('too deep', source)

    def test_aliases_that_multiply(self):
        lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
        for n in range(1, 9):
            many = ', '.join([f'*a{n - 1}'] * 10)
            lines.append(f'a{n}: &a{n} [{many}]')
        self.assert_unreadable('too many values', '\n'.join(lines))

    def test_merges_that_multiply(self):
        keys = ', '.join(f'k{n}: 1' for n in range(1000))
        merges = ', '.join(['*a'] * 1000)
        text = f'a: &a {{{keys}}}\nb: {{<<: [{merges}]}}\n'
        self.assert_unreadable('too many merged', text)

    def test_two_merges_in_one_mapping(self):
        text = 'a: {<<: {b: 1}, <<: {c: 1}}'
        self.assert_unreadable('<< is repeated', text)

    def test_merge_of_no_mapping(self):
        self.assert_unreadable('can be merged', 'a: {<<: [1]}')


class ValuesTest(base.SpecTest):
    def test_keys_that_are_no_text(self):
        found = self.faults_of(YAML + '1: x\non: y\n')
        self.assertEqual(
            [
                ('', 'the key 1 must be text: write it in quotes'),
                ('', 'the key true must be text: write it in quotes'),
            ],
            sorted(found),
        )

    def test_values_that_json_lacks(self):
        source = base.document(base.server('a'))
        source['name'] = {1, 2}
        found = self.faults_of(source)
        self.assertIn(('name', 'must be a value of JSON, not set'), found)

    def test_numbers_without_end(self):
        for text in ('{"a": NaN}', 'a: .inf'):
            paths = [path for path, _ in self.faults_of(text)]
            self.assertIn('a', paths)
        source = base.document(base.volume('v', size=float('inf')))
        self.assertIn(
            ('instances[0].spec.size', 'must be a finite number'),
            self.faults_of(source),
        )

    def test_numbers_that_nothing_can_hold(self):
        """Python does not even write those of thousands of digits."""
        long = '0x' + 'f' * 5000
        for text, place in (
            (YAML.replace('count: 2', f'count: {long}'), 'instances[0].count'),
            (
                YAML.replace('size: 5', f'size: {2**63}'),
                'instances[1].spec.size',
            ),
            (
                YAML.replace('size: 5', 'size: 1.0e+300'),
                'instances[1].spec.size',
            ),
            (
                YAML.replace('linux}', f'linux, metadata: {{a: {long}}}}}'),
                'instances[0].spec.metadata.a',
            ),
            (f'instances: {long}', 'instances'),
            (f'instances: -{long}', 'instances'),
        ):
            fault = (place, 'must be a number of at most 63 bits')
            self.assertIn(fault, self.faults_of(text))
        [(_, message)] = self.faults_of(f'? {long}\n: 1\n')
        self.assertIn('line 1, column 3: a key must be text', message)
        told = [message for _, message in self.faults_of({2**20000: 1})]
        self.assertIn('too long to be written', ' '.join(told))

    def test_the_largest_numbers_that_there_are(self):
        most = f'{{a: {2**63 - 1}, b: -{2**63 - 1}}}'
        text = YAML.replace('linux}', f'linux, metadata: {most}}}')
        self.assertEqual(
            {'a': str(2**63 - 1), 'b': str(1 - 2**63)},
            dict(loader.load(text).members[0].spec.metadata),
        )

    def test_text_that_utf8_cannot_hold(self):
        source = base.document(base.server('a', key_name='\ud800'))
        [(path, _)] = self.faults_of(source)
        self.assertEqual('instances[0].spec.key_name', path)

    def test_the_source_is_left_as_it_is(self):
        source = base.document(
            base.server('a', networks=['n'], metadata={'n': 1}),
            base.group('g', 'a'),
        )
        before = json.dumps(source)
        loader.load(source, policies=base.POLICIES)
        self.assertEqual(before, json.dumps(source))

    def test_an_error_lists_all_faults_for_people(self):
        error = self.assertRaises(
            exception.InvalidDocument, loader.load, '{}', policies={}
        )
        self.assertEqual(
            '1 fault in the document\n'
            'instances: is missing: a list of at least one instance',
            str(error),
        )
