"""Stores that several machines have in common, since they have a file system in common; the controller's side."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.errors import ExecutorError, InputMissing
from longshore.remote.bringing import local_problem
from longshore.remote.digest import digest_bytes
from longshore.remote.staged import StagedTransfers
from longshore.remote.store import object_path
from longshore.remote.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from longshore.remote.sources import Source

__all__ = ["NearTransfers", "SharedStore"]


class SharedStore:
    """What the sessions of such machines have in common here. Used by several threads."""

    def __init__(self, remedy: str) -> None:
        """``remedy`` says what mends it when machines do not have the same store after all."""
        self._remedy = remedy
        self._condition = threading.Condition()
        self._under_way: set[str] = set()
        self._first = ("", "")
        self._cleared = False

    @contextmanager
    def sending(self, digests: Collection[str]) -> Iterator[None]:
        """Let nobody else send these meanwhile; who wants to waits, and finds then that they are there."""
        with self._condition:
            self._condition.wait_for(lambda: self._under_way.isdisjoint(digests))
            self._under_way.update(digests)
        try:
            yield
        finally:
            with self._condition:
                self._under_way.difference_update(digests)
                self._condition.notify_all()

    def meet(self, machine: str, transfers: Transfers) -> None:
        """See whether a machine has the same store as those before it: what one was sent, another one has.

        Raises:
            ExecutorError: when it has not; says what to do.
            MachineUnreachable: as transfers do.
        """
        mark = os.urandom(32)
        # It is written before anybody is told of it: of two machines, the second one always finds that of the first.
        transfers.keep(mark)
        with self._condition:
            if not self._first[0]:
                self._first = (machine, digest_bytes(mark))
            first, sha256 = self._first
        if not transfers.has(sha256, len(mark)):
            raise ExecutorError(
                f"{machine} does not see what {first} has just written, so their folder is not on one file system: "
                f"{self._remedy}"
            )

    def clear(self, transfers: Transfers) -> None:
        """Remove the store, since the run needs nothing of it any more; one of its machines is enough for that.

        Raises:
            MachineUnreachable: as transfers do; the next machine may be asked then.
        """
        with self._condition:
            if self._cleared:
                return
        transfers.clear()
        with self._condition:
            self._cleared = True


class NearTransfers(StagedTransfers):
    """Transfers to a store that may be on this computer's file system too: then objects are linked there, not sent.

    Whether it is, is seen by a file: written here, read over there, and answered.
    """

    _near: bool | None = None

    def _is_near(self) -> bool:
        if self._near is None:
            self._near = self._look()
        return self._near

    def _look(self) -> bool:
        path = Path(self._store, "tmp", f"near-{os.urandom(12).hex()}")
        answer = path.with_name(f"{path.name}.answer")
        content = os.urandom(16).hex()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            told = self._ask({"op": "near", "path": str(path), "answer": str(answer)})
            return bool(told["near"]) and answer.read_text() == content
        except (OSError, UnicodeDecodeError):
            return False
        finally:
            for each in (path, answer):
                with suppress(OSError):
                    each.unlink(missing_ok=True)

    def _send(self, sources: Sequence[Source], offsets: Mapping[str, int]) -> None:
        files = [source for source in sources if source.path]
        if not files or not self._is_near():
            super()._send(sources, offsets)
            return
        for source in files:
            source.check()
        rows = [(each.sha256, each.size, each.path, self._is_ours(each)) for each in files]
        self._ask({"op": "link", "objects": rows})
        super()._send([source for source in sources if not source.path], offsets)

    def _is_ours(self, source: Source) -> bool:
        """Say whether it is an object of the project's store: only these get other names, and never a user's files."""
        return source.path == object_path(self._store, source.sha256)

    def _receive(self, files: Mapping[str, tuple[int, str]]) -> None:
        if not files or not self._is_near():
            super()._receive(files)
            return
        told = self._ask({"op": "hand", "store": self._store, "objects": list(files)})
        if "missing" in told:
            raise InputMissing(f"{files[told['missing']][1]}: the machine does not have {told['missing']} any more")
        for sha256, (_, path) in files.items():
            try:
                os.stat(object_path(self._store, sha256))
            except OSError as error:
                raise local_problem(error, path) from error
