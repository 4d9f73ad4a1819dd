# SPDX-License-Identifier: Apache-2.0
"""What an error answer of a service means, and which of it a tenant sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from heat_vcluster import exception

#: Words by which services tell a used-up quota from other refusals.
_QUOTA = re.compile(r'quota|overlimit|exceeds the maximum number', re.I)
_WORD = re.compile(r'[\w.@#:-]+')
_TAIL = '.:-'


class Answer(Protocol):
    """The part of ``requests.Response`` that is read here."""

    @property
    def status_code(self) -> int: ...

    @property
    def text(self) -> str: ...


class NotFound(exception.CloudError):
    """The service knows no such thing."""


class Refused(exception.CloudError):
    """The request cannot be granted as the thing stands now (400, 409).

    ``kind`` is the service's own code for the cause, where it has one.
    """

    def __init__(self, service: str, reason: str, kind: str = '') -> None:
        self.kind = kind
        super().__init__(service, reason)


class Conflict(Refused):
    """The thing is at something else just now (409); that may pass."""


class Unavailable(exception.CloudError):
    """The service is not to be had now; nothing was carried out."""


class Unclear(exception.CloudError):
    """No proper answer: whether the request was carried out is unknown."""


class Secrets:
    """The names no tenant may read: hosts, pools, their parts.

    Grows as names are met; it is read by several threads, so it is replaced
    and never changed in place.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    def add(self, names: frozenset[str]) -> None:
        if not names <= self._names:
            self._names |= names

    def hide(self, text: str) -> str:
        """Return the text with every known name replaced."""

        def cover(match: re.Match[str]) -> str:
            word = match.group()
            core = word.rstrip(_TAIL)
            tail = word[len(core) :]
            return '<hidden>' + tail if core in self._names else word

        return _WORD.sub(cover, text)


def translate(
    service: str, answer: Answer, secrets: Secrets
) -> exception.CloudError:
    """Return the error that stands for a service's refusal."""
    said, kind = read(answer.text)
    reason = secrets.hide(said or f'HTTP status {answer.status_code}')
    status = answer.status_code
    if status in (403, 409, 413) and _QUOTA.search(f'{kind} {said}'):
        return exception.QuotaExceeded(service, reason)
    if status in (401, 403):
        return exception.CloudForbidden(service, reason)
    if status == 404:
        return NotFound(service, reason)
    if status >= 500:
        return Unclear(service, reason)
    refused = Conflict if status == 409 else Refused
    return refused(service, reason, kind)


def read(text: str) -> tuple[str, str]:
    """Return (words, code) of an error body, as each service writes it."""
    try:
        body = json.loads(text)
    except ValueError:
        return _plain(text), ''
    for found in _walk(body):
        words = found.get('message') or found.get('detail')
        if isinstance(words, str):
            kind = found.get('type') or found.get('code') or ''
            return _plain(words), str(kind)
    return '', ''


def _walk(body: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings inside, outermost first."""
    if isinstance(body, dict):
        yield body
        for value in body.values():
            yield from _walk(value)
    elif isinstance(body, list):
        for value in body:
            yield from _walk(value)


def _plain(text: str) -> str:
    """Drop markup (glance answers in HTML) and the white space around."""
    return ' '.join(re.sub(r'<[^>]*>', ' ', text).split())[:1000]
