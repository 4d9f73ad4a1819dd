# SPDX-License-Identifier: Apache-2.0
"""Makes placement problems by seed, with what is known of them.

    python benchmarks/placement_problems.py --family chains --size large \
        --tightness exact --seed 7 -o FILE [--witness PLAN]

The families and what they are: see families.py and impossible.py. The file is
a ``vcluster-problem/1`` (gzipped if its name ends in .gz); its ``meta`` has
the expected verdict, and for an impossible one the rules in conflict.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import clouds
import families
import impossible

FAMILIES = (*families.FAMILIES, *impossible.FAMILIES)
TIGHTNESS = ('loose', 'tight', 'exact')


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A problem, and either a placement that obeys it or why none does."""

    name: str
    problem: dict[str, Any]
    witness: Mapping[str, str] | None = None
    conflict: Sequence[str] = ()
    why: str = ''


def make(family: str, size: str, tightness: str, seed: int) -> Made:
    """Draw a problem; equal arguments give equal problems."""
    name = f'{family}-{size}-{tightness}-{seed}'
    for attempt in range(20):
        # A string seeds the same in every process.
        draw = random.Random(f'{name}/{attempt}')
        try:
            return _draw(name, draw, family, size, tightness)
        except clouds.NoRoomError:
            continue
    raise SystemExit(f'{name}: no such problem could be drawn')


def _draw(
    name: str, draw: random.Random, family: str, size: str, tightness: str
) -> Made:
    feasible = family in families.FAMILIES
    levels = (
        families.FAMILIES[family][1]
        if feasible
        else impossible.FAMILIES[family][1]
    )
    cloud = clouds.Cloud(draw, clouds.SIZES[size], levels)
    draft = clouds.Draft(cloud)
    conflict: Sequence[str] = ()
    why = ''
    if feasible:
        families.open_up(cloud, tightness)
        families.FAMILIES[family][0](draft, cloud.size.members)
    else:
        conflict, why = impossible.FAMILIES[family][0](draft, tightness)
    meta: dict[str, Any] = {
        'name': name,
        'expected': 'feasible' if feasible else 'infeasible',
    }
    if conflict:
        meta['certificate'] = {'rules': list(conflict), 'why': why}
    objective = 'balance' if draw.random() < 0.2 else 'pack'
    problem = {
        'format': 'vcluster-problem/1',
        'meta': meta,
        'resources': list(clouds.RESOURCES),
        'topology': cloud.topology(*cloud.free_up(tightness)),
        'request': draft.request(objective),
    }
    witness = draft.witness() if feasible else None
    return Made(name, problem, witness, tuple(conflict), why)


def write(document: Mapping[str, Any], path: Path) -> None:
    """Write a document as JSON, gzipped if the name says so."""
    text = json.dumps(document, separators=(',', ':')).encode()
    if path.suffix == '.gz':
        text = gzip.compress(text, mtime=0)
    path.write_bytes(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--family', required=True, choices=FAMILIES)
    parser.add_argument('--size', default='medium', choices=clouds.SIZES)
    parser.add_argument('--tightness', default='tight', choices=TIGHTNESS)
    parser.add_argument('--seed', default=1, type=int)
    parser.add_argument('-o', '--output', required=True, type=Path)
    parser.add_argument('--witness', type=Path, help='write it as a plan')
    asked = parser.parse_args()
    made = make(asked.family, asked.size, asked.tightness, asked.seed)
    write(made.problem, asked.output)
    if asked.witness and made.witness is not None:
        plan = {
            'format': 'vcluster-plan/1',
            'status': 'feasible',
            'placement': dict(made.witness),
        }
        write(plan, asked.witness)


if __name__ == '__main__':
    main()
