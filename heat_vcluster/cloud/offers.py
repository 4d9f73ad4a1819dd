# SPDX-License-Identifier: Apache-2.0
"""Which flavors a server might have instead of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# A flavor's name, and what it takes of a host.
Offer = tuple[str, Mapping[str, int]]


def instead(
    own: Mapping[str, int], offered: Iterable[Offer]
) -> tuple[Offer, ...]:
    """Return those that take less of something and no more of anything.

    For these the quota is enough if it is for its own, and the hosts that
    could take its own can take them.
    """
    return tuple(
        (name, resources)
        for name, resources in offered
        if resources != own
        and resources.keys() <= own.keys()
        and all(amount <= own[key] for key, amount in resources.items())
    )
