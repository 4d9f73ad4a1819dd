# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built."""

import logging
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

sys.path.insert(0, str(HERE / '_ext'))


def succeeds(*command: str) -> bool:
    try:
        ran = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return ran.returncode == 0


# A plain copy of the source, or a machine, may be without git.
if not succeeds('git', '-C', str(ROOT), 'rev-parse', 'HEAD'):
    # The theme warns that it cannot tell the commit: so it is.
    logging.getLogger('sphinx.openstackdocstheme.ext').addFilter(
        lambda record: 'gitsha' not in record.getMessage()
    )

project = 'heat-vcluster'
copyright = 'heat_vcluster developers'
extensions = [
    'openstackdocstheme',
    'oslo_config.sphinxext',
    'diagrams',
    'reference',
]
exclude_patterns = ['_ext']
html_theme = 'openstackdocs'
html_copy_source = False
pygments_style = 'native'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_projects = []

GENERATED = HERE / '_generated'
GENERATED.mkdir(exist_ok=True)
# Release notes are read from git, all of it: a shallow clone will not do.
notes = 'The notes are in the directory ``releasenotes/notes``.\n'
if succeeds(str(Path(sys.executable).with_name('reno')), 'list', str(ROOT)):
    extensions.append('reno.sphinxext')
    notes = '.. release-notes::\n   :relnotessubdir: releasenotes\n'
(GENERATED / 'releasenotes.inc').write_text(notes)
