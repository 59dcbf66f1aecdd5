"""The controller's side of the packed form: brings objects to a machine's store, and home from it (`Bringing`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from longshore.errors import DigestMismatch, InputMissing, StagingError
from longshore.model.attempt import Item
from longshore.remote.asking import DataStream
from longshore.remote.bringing import Bringing
from longshore.remote.digest import digest_bytes
from longshore.remote.packing import Broken, send_body
from longshore.remote.sources import Source, file_of, files_within, listing_of, source_of_listing

__all__ = ["Transfers"]


class Transfers(Bringing):
    """Moves objects between the project's store and that of one machine, over a stream that is opened when needed."""

    def __init__(
        self,
        open_stream: Callable[[], DataStream],
        store: Path,
        sending: Callable[[Collection[str]], AbstractContextManager[None]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            open_stream: gives a stream to the machine. It waits for as long as the link may be down, then raises
                MachineUnreachable.
            store: the project's.
            sending: gives a block in which nobody else sends objects to the same store; None when nobody else does.
        """
        super().__init__(open_stream, store)
        self._there: set[str] = set()
        """What the machine has, as far as we have seen."""
        self._sending = sending or (lambda _digests: nullcontext())

    def put(self, items: Iterable[Item]) -> None:
        """Send what the machine lacks; the errors are those of `longshore.plugin.protocols.Session.put`."""
        wanted = {item.sha256: item for item in items if item.sha256 not in self._there}
        if wanted:
            self._repeat(lambda: self._put(list(wanted.values())))
            self._there.update(wanted)

    def keep(self, content: bytes) -> None:
        """Send a few bytes of our own; the errors are those of `put`."""
        source = Source(digest_bytes(content), len(content), "", content, "what is sent to see whether it arrives")
        self._repeat(lambda: self._send([source], {source.sha256: 0}))

    def has(self, sha256: str, size: int) -> bool:
        """Ask whether a file is there; the errors are those of `put`."""
        return not self._repeat(lambda: self._lacked([(sha256, size, "file")]))

    def clear(self) -> None:
        """Remove the machine's store with all that is in it; the errors are those of `put`."""
        self._repeat(lambda: self._ask({"op": "clear"}))

    def forget(self, digests: Collection[str]) -> None:
        """Note that the machine may not have objects any more."""
        self._there.difference_update(digests)

    def doubt(self) -> None:
        """Trust nothing that was seen of the machine's store: something was missing there."""
        self._there.clear()

    def _lacked(self, rows: Sequence[tuple[str, int, str]]) -> Mapping[str, int]:
        """Ask what the machine lacks; give from where each can be continued."""
        if not rows:
            return {}
        told = self._ask({"op": "lack", "objects": rows})
        return {rows[index][0]: offset for index, offset in told["lack"]}

    def _put(self, items: Sequence[Item]) -> None:
        by_digest = {item.sha256: item for item in items}
        with self._sending(by_digest):
            self._put_alone(by_digest)

    def _put_alone(self, by_digest: Mapping[str, Item]) -> None:
        lacked = dict(self._lacked([(item.sha256, item.size, item.kind) for item in by_digest.values()]))
        folders = [by_digest[sha256] for sha256 in lacked if by_digest[sha256].kind == "folder"]
        listings = {folder.sha256: self._listing(folder) for folder in folders}
        within = {
            source.sha256: source
            for folder in folders
            for source in files_within(folder, listings[folder.sha256], self._store)
            if source.sha256 not in lacked
        }
        inner = self._lacked([(source.sha256, source.size, "file") for source in within.values()])
        files = [file_of(by_digest[sha256], self._store) for sha256 in lacked if by_digest[sha256].kind != "folder"]
        for file in files:
            file.check()
        whole = [source_of_listing(folder, listings[folder.sha256]) for folder in folders]
        offsets = {**lacked, **inner, **dict.fromkeys(listings, 0)}
        # A listing goes last: it makes a folder whole.
        self._send([*files, *(within[sha256] for sha256 in inner), *whole], offsets)

    def _listing(self, item: Item) -> bytes:
        """Give the listing of a folder: from the project's store, from its files, or from the machine."""
        listing = listing_of(item, self._store)
        if listing is None:
            listing = self._listing_there(item.sha256)
        if listing is None:
            raise InputMissing(f"input {item.path}: nobody has the folder {item.sha256} any more")
        return listing

    def _send(self, sources: Sequence[Source], offsets: Mapping[str, int]) -> None:
        if not sources:
            return
        rows = [(source.sha256, source.size, offsets[source.sha256]) for source in sources]
        self._writer.line({"op": "take", "objects": rows})
        try:
            for source in sources:
                self._send_one(source, offsets[source.sha256])
            self._writer.flush()
        except Broken:
            self._answer()  # says why, if the machine has ended it
            raise
        self._answer()
        self._progress += len(sources)

    def _send_one(self, source: Source, offset: int) -> None:
        if not source.path:
            self._writer.write(b"d" + source.size.to_bytes(8, "big") + source.content)
            return
        try:
            # A pipe in the place of a file would be waited for.
            handle = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise InputMissing(f"{source.name}: {source.path}: {error.strerror}") from error
        try:
            longer = os.fstat(handle).st_size > source.size
            sent = send_body(self._writer, handle, source.size, offset)
        except OSError as error:
            raise StagingError(f"{source.name}: {source.path}: {error.strerror}") from error
        finally:
            os.close(handle)
        if sent != source.sha256 or longer:
            raise DigestMismatch(
                f"{source.name}: {source.path} has changed since the run looked at it; run it again to use the new "
                "content"
            )
