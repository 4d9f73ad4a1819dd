# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

sys.path.insert(0, str(HERE / '_ext'))


def has_history() -> bool:
    """Release notes are read from git; a plain copy of the source has none."""
    asked = subprocess.run(
        ['git', '-C', str(ROOT), 'rev-parse', '--show-toplevel'],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and Path(asked.stdout.strip()) == ROOT


project = 'heat-vcluster'
copyright = 'heat_vcluster developers'  # noqa: A001
extensions = ['openstackdocstheme', 'oslo_config.sphinxext', 'drawings']
exclude_patterns = ['_ext']
html_theme = 'openstackdocs'
html_copy_source = False
pygments_style = 'native'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_projects = []

GENERATED = HERE / '_generated'
GENERATED.mkdir(exist_ok=True)
notes = 'The notes are in the directory ``releasenotes/notes``.\n'
if has_history():
    extensions.append('reno.sphinxext')
    notes = '.. release-notes::\n   :relnotessubdir: releasenotes\n'
(GENERATED / 'releasenotes.inc').write_text(notes)
