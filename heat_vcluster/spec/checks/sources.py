# SPDX-License-Identifier: Apache-2.0
"""What single members are made of leads to a member that can be made so."""

from __future__ import annotations

from heat_vcluster.spec import draft as drafts
from heat_vcluster.spec import faults


def known(draft: drafts.Draft) -> faults.Found:
    """Of a counted instance any copy may be named, also one that went."""
    for name in draft.sound.document.get('sources', {}):
        if name not in draft.by_name and draft.counted_base(name) is None:
            near = draft.hints.near(name, draft.by_name)
            yield ('sources', name), f"there is no member '{name}'{near}"


def fitting(draft: drafts.Draft) -> faults.Found:
    for name, source in draft.sound.document.get('sources', {}).items():
        copy = draft.by_name.get(name)
        if copy is None or copy.type is None:
            continue
        key = drafts.SOURCES.get(copy.type)
        if {*source} - {'again'} != {key}:
            wanted = f"'{key}' alone" if key else 'no source'
            yield (
                ('sources', name),
                f"'{name}' is a {copy.type}, which takes {wanted}",
            )
        elif 'boot_volume' in copy.spec:
            yield (
                ('sources', name),
                f"'{name}' boots from a volume; it is that which has a source",
            )
