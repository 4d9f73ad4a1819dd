# SPDX-License-Identifier: Apache-2.0
"""How the tests of a finished stestr run ended, from its subunit stream.

Reads the stream on standard input and writes one JSON object: ``passed`` (a
number), ``failed`` (name to what it told: traceback and log) and ``skipped``
(name to reason). A test that never ended counts as failed.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

import subunit
import testtools

PASSED = ('success', 'xfail')


def read(stream: BinaryIO) -> dict[str, Any]:
    outcomes: dict[str, Any] = {'passed': 0, 'failed': {}, 'skipped': {}}

    def note(test: dict[str, Any]) -> None:
        if test['status'] in PASSED:
            outcomes['passed'] += 1
        elif test['status'] == 'skip':
            reason = test['details'].get('reason')
            outcomes['skipped'][test['id']] = (
                reason.as_text().strip() if reason else ''
            )
        elif test['status'] != 'exists':
            outcomes['failed'][test['id']] = _told(test)

    result = testtools.StreamToDict(note)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(stream).run(result)
    result.stopTestRun()
    return outcomes


def _told(test: dict[str, Any]) -> str:
    """All that the test left behind; the traceback comes last."""
    if test['status'] == 'inprogress':
        return 'It never ended.'
    details = sorted(
        test['details'].items(), key=lambda item: 'traceback' in item[0]
    )
    return '\n'.join(
        f'{name}:\n{content.as_text().strip()}'
        for name, content in details
        if content.content_type.type == 'text'
    )


if __name__ == '__main__':
    json.dump(read(sys.stdin.buffer), sys.stdout)
