# SPDX-License-Identifier: Apache-2.0
"""The reference in the user's guide is true and complete."""

import contextlib
import io
import pathlib
import re
import textwrap

import fixtures

from heat_vcluster import registry
from heat_vcluster.spec import loader, schema
from tests.unit.spec import base

REFERENCE = pathlib.Path(__file__).parents[3] / 'doc/source/user/document.rst'


def examples(language):
    pattern = rf'\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)'
    text = REFERENCE.read_text(encoding='utf-8')
    return [textwrap.dedent(block) for block in re.findall(pattern, text)]


def keys_of(inner):
    """Give all keys that a schema knows."""
    if isinstance(inner, dict):
        yield from inner.get('properties', {})
        inner = inner.values()
    if not isinstance(inner, str | int):
        for one in inner:
            yield from keys_of(one)


class ReferenceTest(base.SpecTest):
    def test_every_example_is_a_document(self):
        found = examples('yaml')
        self.assertGreaterEqual(len(found), 6)
        for text in found:
            loaded = loader.load(text, scopes=('host', 'rack', 'zone'))
            self.assertEqual(loaded, loader.load(loaded.document))

    def test_every_key_is_described(self):
        text = REFERENCE.read_text(encoding='utf-8')
        made = schema.document(registry.load('policies'))
        keys = set(keys_of(made))
        self.assertIn('fixed_ip', keys)
        missing = [key for key in keys if f'``{key}``' not in text]
        self.assertEqual([], missing)

    def test_the_program_runs(self):
        [program] = examples('python')
        root = self.useFixture(fixtures.TempDir()).path
        path = pathlib.Path(root) / 'cluster.yaml'
        path.write_text(examples('yaml')[0], encoding='utf-8')
        program = program.replace("'cluster.yaml'", repr(str(path)))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(program, str(REFERENCE), 'exec'), {})
        self.assertEqual(
            "db server ['data']\ndata volume []\n", said.getvalue()
        )
