# SPDX-License-Identifier: Apache-2.0
"""What is tied to what: sets that merge, by union-find."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar('T', bound=Hashable)


class Unions(Generic[T]):
    """Elements in disjoint sets; each is alone until it is joined."""

    def __init__(self, elements: Iterable[T] = ()) -> None:
        self._parent = {element: element for element in elements}

    def find(self, element: T) -> T:
        """Return the one that stands for all of the element's set."""
        parent = self._parent
        while parent[element] != element:
            parent[element] = parent[parent[element]]
            element = parent[element]
        return element

    def join(self, elements: Iterable[T]) -> None:
        """Merge their sets; the first one's stands for the whole.

        Elements that are not known yet are added.
        """
        first: T | None = None
        for element in elements:
            self._parent.setdefault(element, element)
            if first is None:
                first = self.find(element)
            else:
                self._parent[self.find(element)] = first

    def sets(self) -> list[list[T]]:
        """Return the sets, in the order in which elements were added."""
        merged: dict[T, list[T]] = {}
        for element in self._parent:
            merged.setdefault(self.find(element), []).append(element)
        return list(merged.values())
