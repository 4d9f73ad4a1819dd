# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

sys.path.insert(0, str(HERE / '_ext'))


project = 'heat-vcluster'
copyright = 'heat_vcluster developers'
extensions = ['openstackdocstheme', 'oslo_config.sphinxext', 'diagrams']
exclude_patterns = ['_ext']
html_theme = 'openstackdocs'
html_copy_source = False
pygments_style = 'native'
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_projects = []

GENERATED = HERE / '_generated'
GENERATED.mkdir(exist_ok=True)
# Release notes are read from git; a plain copy of the source has none.
notes = 'The notes are in the directory ``releasenotes/notes``.\n'
if (ROOT / '.git').exists():
    extensions.append('reno.sphinxext')
    notes = '.. release-notes::\n   :relnotessubdir: releasenotes\n'
(GENERATED / 'releasenotes.inc').write_text(notes)
