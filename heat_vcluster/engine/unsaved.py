# SPDX-License-Identifier: Apache-2.0
"""Keeps nothing of how far a graph is: the truth is in our own record."""

from __future__ import annotations

from typing import Any, NoReturn

from taskflow.persistence import base


class Backend(base.Backend):
    """What TaskFlow wants to keep, it gets back as it is."""

    def __init__(self) -> None:
        super().__init__({})

    def get_connection(self) -> Connection:
        return Connection(self)

    def close(self) -> None:
        pass


class Connection(base.Connection):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def backend(self) -> Backend:
        return self._backend

    def close(self) -> None:
        pass

    def upgrade(self) -> None:
        pass

    def clear_all(self) -> None:
        pass

    def validate(self) -> None:
        pass

    def update_atom_details(self, atom_detail: Any) -> Any:
        return atom_detail

    def update_flow_details(self, flow_detail: Any) -> Any:
        return flow_detail

    def save_logbook(self, book: Any) -> None:
        pass

    def destroy_logbook(self, book_uuid: str) -> None:
        pass

    def get_logbook(self, book_uuid: str, lazy: bool = False) -> NoReturn:
        raise LookupError(book_uuid)

    def get_logbooks(self, lazy: bool = False) -> tuple[()]:
        return ()

    def get_flows_for_book(self, book_uuid: str) -> NoReturn:
        raise LookupError(book_uuid)

    def get_flow_details(self, fd_uuid: str, lazy: bool = False) -> NoReturn:
        raise LookupError(fd_uuid)

    def get_atom_details(self, ad_uuid: str) -> NoReturn:
        raise LookupError(ad_uuid)

    def get_atoms_for_flow(self, fd_uuid: str) -> NoReturn:
        raise LookupError(fd_uuid)
