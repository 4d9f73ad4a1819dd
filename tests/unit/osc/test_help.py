# SPDX-License-Identifier: Apache-2.0

import argparse
import configparser
import importlib
import pathlib
import shlex
import textwrap

from heat_vcluster import spec
from tests import base

SETUP = pathlib.Path(__file__).parents[3] / 'setup.cfg'


def commands():
    """Return words of a command -> its class, as they are registered."""
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    lines = setup['entry_points']['openstack.vcluster.v2'].strip()
    found = {}
    for line in lines.splitlines():
        name, _, place = line.partition(' = ')
        module, _, kind = place.partition(':')
        words = name.replace('_', ' ')
        found[words] = getattr(importlib.import_module(module), kind)
    return found


class Refused(Exception):
    pass


def parser_of(words, kind):
    parser = kind(None, None).get_parser(f'openstack {words}')
    parser.error = refuse
    return parser


def refuse(message):
    raise Refused(message)


class HelpTest(base.TestCase):
    """Every command, as ``--help`` has it."""

    def test_every_command_shows_an_example_that_is_right(self):
        known = commands()
        self.assertEqual(29, len(known))
        for words, kind in known.items():
            examples = [*self.examples(kind)]
            self.assertNotEqual([], examples, words)
            for example in examples:
                self.assert_parses(known, example)

    def examples(self, kind):
        for line in kind.EXAMPLES.splitlines():
            line = line.strip().rstrip('|').strip()
            if line.startswith('openstack '):
                yield shlex.split(line)[1:]

    def assert_parses(self, known, arguments):
        words = max(
            (w for w in known if arguments[: w.count(' ') + 1] == w.split()),
            key=len,
        )
        parser = parser_of(words, known[words])
        rest = arguments[words.count(' ') + 1 :]
        self.assertIsInstance(parser.parse_args(rest), argparse.Namespace)

    def test_examples_are_shown_as_they_are_written(self):
        for words, kind in commands().items():
            text = parser_of(words, kind).format_help()
            self.assertIn(kind.EXAMPLES.rstrip(), text)
            self.assertIn(kind.__doc__.splitlines()[0], text)

    def test_an_option_that_is_not_there_is_refused(self):
        parser = parser_of('vcluster list', commands()['vcluster list'])
        self.assertRaises(Refused, parser.parse_args, ['--colour'])

    def test_the_document_that_is_shown_is_one(self):
        create = commands()['vcluster create']
        _, _, shown = create.EXAMPLES.rpartition('of one rack can take both:')
        self.assertEqual(2, len(spec.load(textwrap.dedent(shown)).members))

    def test_the_guide_s_document_is_one(self):
        guide = SETUP.with_name('doc') / 'source' / 'user' / 'commands.rst'
        _, _, rest = guide.read_text().partition('.. code-block:: yaml\n')
        shown, _, _ = rest.partition('\nWould it fit')
        self.assertEqual('shop', spec.load(textwrap.dedent(shown)).name)


class FileTest(base.TestCase):
    """-f is a file, unless it is the name of an output format."""

    def parse(self, *arguments):
        words = 'vcluster create'
        parser = parser_of(words, commands()[words])
        parsed = parser.parse_args(arguments)
        file = parsed.file and str(parsed.file)
        return file, parsed.formatter

    def test_both_can_be_given_in_any_order(self):
        self.assertEqual((None, 'table'), self.parse())
        self.assertEqual(('web.yaml', 'table'), self.parse('-f', 'web.yaml'))
        self.assertEqual((None, 'yaml'), self.parse('-f', 'yaml'))
        for arguments in (
            ('-f', 'web.yaml', '-f', 'json'),
            ('-f', 'json', '-f', 'web.yaml'),
            ('-fweb.yaml', '-fjson'),
            ('--file', 'web.yaml', '--format', 'json'),
        ):
            self.assertEqual(('web.yaml', 'json'), self.parse(*arguments))

    def test_the_long_options_mean_one_thing_each(self):
        self.assertEqual(('json', 'table'), self.parse('--file', 'json'))
        self.assertRaises(Refused, self.parse, '--format', 'web.yaml')
