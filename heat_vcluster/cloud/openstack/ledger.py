# SPDX-License-Identifier: Apache-2.0
"""What placement said of which part of the cloud, for as long as it is true.

An answer is kept by the section that it speaks of, and used for some seconds
as it is. After that the generations of the section's providers are asked
for, which costs little: as long as they are the same, nothing has changed
there. A kept answer that is out of date does no harm but a plan made in
vain: the hold is the truth.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from heat_vcluster.cloud.openstack import inventory, places
from heat_vcluster.cloud.openstack.demands import Signature
from heat_vcluster.cloud.openstack.session import Service

#: So many terms (aggregates, traits) go into one request: a request line of
#: 8 kB is what servers take.
TERMS = 150
#: For so long an answer tells where there was no room, in seconds.
HINT = 600.0

Key = tuple[Signature, str, str]  # the question; the level; the section


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An answer for one section, or what was true of it at ``read_at``.

    ``generations`` are those of its root providers, at the answer or before
    it. None: it speaks of other providers too, whose are not known.
    """

    found: inventory.Candidates
    read_at: float
    generations: Mapping[str, int] | None

    @property
    def age(self) -> float:
        return time.monotonic() - self.read_at


class Ledger:
    """Shared by all tenants of a process; safe for threads.

    ``seconds``: how long an answer is taken to be true unasked.
    """

    def __init__(self, service: Service, seconds: float) -> None:
        self._service = service
        self._seconds = seconds
        self._lock = threading.Lock()
        self._entries: dict[Key, Entry] = {}
        self._generations: dict[str, int] = {}
        self._rooms: dict[str, inventory.Room] = {}

    # -- reading -----------------------------------------------------------

    def read_all(
        self, signatures: Iterable[Signature]
    ) -> dict[Signature, inventory.Candidates]:
        """Ask for the whole cloud, now: nothing that is kept is used."""
        return {
            signature: self._ask(signature)
            for signature in dict.fromkeys(signatures)
        }

    def read(
        self,
        signatures: Iterable[Signature],
        level: str,
        sections: Sequence[places.Section],
        known: places.Topology,
    ) -> dict[Signature, inventory.Candidates]:
        """Return what placement says of sections, or said and still holds."""
        since = time.monotonic() - self._seconds
        self._note(known.generations)
        questions = tuple(dict.fromkeys(signatures))
        self._renew(questions, level, sections, since)
        for question in questions:
            stale = [
                section
                for section in sections
                if not self._is_read((question, level, section.name), since)
            ]
            for part in _parts(stale):
                self._enter(question, level, part)
        return {
            question: inventory.join(
                entry.found
                for section in sections
                # It may have been forgotten meanwhile: then it is left out.
                if (entry := self._entry((question, level, section.name)))
            )
            for question in questions
        }

    def _ask(
        self, question: Signature, sections: Sequence[places.Section] = ()
    ) -> inventory.Candidates:
        query = question.query()
        answer = inventory.ask(
            self._service, question, **_terms(sections, query.get('required'))
        )
        with self._lock:
            self._rooms.update(inventory.rooms([answer]))
        return answer

    def _enter(
        self,
        question: Signature,
        level: str,
        sections: Sequence[places.Section],
    ) -> None:
        now = time.monotonic()
        with self._lock:
            before = {
                uuid: self._generations.get(uuid, -1)
                for section in sections
                for uuid in section.roots
            }
        answer = self._ask(question, sections)
        with self._lock:
            for section in sections:
                found = inventory.cut(answer, section.roots)
                is_flat = found.providers.keys() <= section.roots
                self._entries[question, level, section.name] = Entry(
                    found,
                    now,
                    {uuid: before[uuid] for uuid in section.roots}
                    if is_flat
                    else None,
                )

    def forget(self, roots: Collection[str]) -> None:
        """Drop what is kept of these hosts: it is known to be wrong."""
        gone = frozenset(roots)
        with self._lock:
            self._entries = {
                key: entry
                for key, entry in self._entries.items()
                if gone.isdisjoint(entry.found.shares)
            }

    # -- generations ---------------------------------------------------------

    def _note(self, generations: Mapping[str, int]) -> None:
        with self._lock:
            for uuid, generation in generations.items():
                if generation > self._generations.get(uuid, -1):
                    self._generations[uuid] = generation

    def _renew(
        self,
        questions: Sequence[Signature],
        level: str,
        sections: Sequence[places.Section],
        since: float,
    ) -> None:
        """Let answers that are old count as new where nothing changed.

        Where that is asked at all, it is asked for all that will be read.
        """
        keys = {
            section.name: [(q, level, section.name) for q in questions]
            for section in sections
        }
        old = [
            section
            for section in sections
            if not all(self._is_read(k, since) for k in keys[section.name])
        ]
        if not any(
            self._is_renewable(key, since)
            for section in old
            for key in keys[section.name]
        ):
            return
        for part in _parts(old):
            now = time.monotonic()
            body = self._service.get('/resource_providers', **_terms(part))
            current = {
                provider['uuid']: provider['generation']
                for provider in body['resource_providers']
            }
            self._note(current)
            with self._lock:
                for section in part:
                    for key in keys[section.name]:
                        self._compare(key, current, now)

    def _compare(
        self, key: Key, current: Mapping[str, int], now: float
    ) -> None:
        entry = self._entries.get(key)
        if entry is None or entry.generations is None:
            return
        if all(current.get(u) == g for u, g in entry.generations.items()):
            self._entries[key] = dataclasses.replace(entry, read_at=now)

    def _entry(self, key: Key) -> Entry | None:
        with self._lock:
            return self._entries.get(key)

    def _is_read(self, key: Key, since: float) -> bool:
        entry = self._entry(key)
        return entry is not None and entry.read_at >= since

    def _is_renewable(self, key: Key, since: float) -> bool:
        entry = self._entry(key)
        return (
            entry is not None
            and entry.generations is not None
            and entry.read_at < since
        )

    # -- hints ----------------------------------------------------------------

    def rank(
        self,
        questions: Iterable[Signature],
        level: str,
        section: places.Section,
    ) -> int:
        """Return how worth while a look at a section is; 0 is best.

        0: known to have room for each of these; 1: not known; 2: one of
        them had no candidate there a few minutes ago.
        """
        entries = [
            self._entry((question, level, section.name))
            for question in questions
        ]
        if any(e and not e.found.shares and e.age < HINT for e in entries):
            return 2
        return 0 if all(e and e.age <= self._seconds for e in entries) else 1

    def room(self, root: str) -> inventory.Room | None:
        """Return what was last heard of a host, however long ago.

        Its totals hardly ever change; what is free does.
        """
        with self._lock:
            return self._rooms.get(root)

    def hear(self, root: str, room: inventory.Room) -> None:
        with self._lock:
            self._rooms[root] = room

    def mean_free(self) -> dict[str, float]:
        """Return what hosts heard of had free on the average."""
        with self._lock:
            heard = list(self._rooms.values())
        sums: dict[str, int] = {}
        for room in heard:
            for name, amount in room.free.items():
                sums[name] = sums.get(name, 0) + amount
        return {name: amount / len(heard) for name, amount in sums.items()}


def _parts(
    sections: Iterable[places.Section],
) -> Iterator[list[places.Section]]:
    """Cut a list of sections such that each part fits into a request."""
    part: list[places.Section] = []
    terms = 0
    for section in sections:
        size = len(section.aggregates) + len(section.traits)
        if part and terms + size > TERMS:
            yield part
            part, terms = [], 0
        part.append(section)
        terms += size
    if part:
        yield part


def _terms(
    sections: Sequence[places.Section], required: str | None = None
) -> dict[str, list[str]]:
    """Return the parameters that narrow a request to sections.

    ``required``: the traits that it asks for anyway.
    """
    aggregates = sorted({a for s in sections for a in s.aggregates})
    traits = sorted({t for s in sections for t in s.traits})
    wanted = [required] if required else []
    if traits:
        wanted.append(_any_of(traits))
    narrower = {'required': wanted} if wanted else {}
    if aggregates:
        narrower['member_of'] = [_any_of(aggregates)]
    return narrower


def _any_of(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f'in:{",".join(terms)}'
