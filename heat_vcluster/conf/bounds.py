# SPDX-License-Identifier: Apache-2.0
"""The most that a number among the options can mean.

What is beyond is a slip, and would fail at some use: clocks, sockets and
databases all have a number that they cannot take.
"""

from __future__ import annotations

#: In seconds: how long anything lasts, and the time between two looks.
YEAR = 365 * 24 * 3600
HOUR = 3600
#: Threads of one process, which may be started all at once.
THREADS = 1000
#: Of whatever is counted.
COUNT = 2**31 - 1
