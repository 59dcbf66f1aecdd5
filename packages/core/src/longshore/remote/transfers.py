"""The controller's side of the packed form: brings objects to a machine's store, and home from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from longshore.errors import DigestMismatch, DiskFull, InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.remote.arriving import Damaged, part_size, receive_body
from longshore.remote.asking import Asking, DataStream
from longshore.remote.digest import Entry, NotStorable, digest_bytes, digest_folder, parse_listing
from longshore.remote.packing import Broken, bodies, send_body
from longshore.remote.store import StagingProblem, object_path, put_bytes, translate

__all__ = ["Source", "Transfers", "entries_of", "local_problem"]


class Source(NamedTuple):
    """Bytes that can be sent: a file of this computer, or a listing."""

    sha256: str
    size: int
    path: str
    """The file; empty for a listing."""
    content: bytes
    name: str
    """What it is, in messages."""

    def check(self) -> None:
        """See whether it is there.

        Raises:
            InputMissing: when it is not.
        """
        if self.path and not os.path.isfile(self.path):
            raise InputMissing(f"{self.name}: {self.path} is not there, or is no file")


class Transfers(Asking):
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
        super().__init__(open_stream)
        self._store = str(store)
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

    def get(self, artifacts: Iterable[Artifact]) -> None:
        """Bring home what is not here; the errors are those of `longshore.plugin.protocols.Session.get`."""
        wanted = {artifact.sha256: artifact for artifact in artifacts}
        self._repeat(lambda: self._get(list(wanted.values())))

    def fetch(self, root: str, paths: Sequence[str], into: Path) -> None:
        """Bring files below a folder of the machine here.

        Raises:
            InputMissing: when one is not there; names it.
            DigestMismatch: when one changed on its way.
        """
        self._repeat(lambda: self._fetch(root, paths, into))

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

    # --- putting

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
            for source in self._within(folder, listings[folder.sha256])
            if source.sha256 not in lacked
        }
        inner = self._lacked([(source.sha256, source.size, "file") for source in within.values()])
        files = [self._file(by_digest[sha256]) for sha256 in lacked if by_digest[sha256].kind != "folder"]
        whole = [
            Source(folder.sha256, len(listing), "", listing, f"input {folder.path}")
            for folder, listing in ((folder, listings[folder.sha256]) for folder in folders)
        ]
        offsets = {**lacked, **inner, **dict.fromkeys(listings, 0)}
        # A listing goes last: it makes a folder whole.
        self._send([*files, *(within[sha256] for sha256 in inner), *whole], offsets)

    def _file(self, item: Item) -> Source:
        path = item.source or object_path(self._store, item.sha256)
        return Source(item.sha256, item.size, path, b"", f"input {item.path}")

    def _listing(self, item: Item) -> bytes:
        """Give the listing of a folder: from its files, from the project's store, or from the machine."""
        try:
            if item.source:
                folder = digest_folder(item.source)
                if folder.sha256 != item.sha256:
                    raise DigestMismatch(f"input {item.path}: {item.source} has changed since the run looked at it")
                return folder.listing
            with open(object_path(self._store, item.sha256), "rb") as file:
                return file.read()
        except FileNotFoundError:
            listing = None if item.source else self._listing_there(item.sha256)
            if listing is None:
                raise InputMissing(
                    f"input {item.path}: {item.source or f'nobody has the folder {item.sha256}'} any more"
                ) from None
            return listing
        except (NotStorable, OSError) as error:
            raise StagingError(f"input {item.path}: {error}") from error

    def _within(self, folder: Item, listing: bytes) -> Iterable[Source]:
        for entry in entries_of(listing, f"input {folder.path}"):
            if entry.kind == "f":
                path = f"{folder.source}/{entry.path}" if folder.source else object_path(self._store, entry.sha256)
                yield Source(entry.sha256, entry.size, path, b"", f"input {folder.path}/{entry.path}")

    def _send(self, sources: Sequence[Source], offsets: Mapping[str, int]) -> None:
        if not sources:
            return
        for source in sources:
            source.check()
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
            handle = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InputMissing(f"{source.name}: {source.path}: {error.strerror}") from error
        try:
            sent = send_body(self._writer, handle, source.size, offset)
            longer = os.fstat(handle).st_size > source.size
        except OSError as error:
            raise StagingError(f"{source.name}: {source.path}: {error.strerror}") from error
        finally:
            os.close(handle)
        if sent != source.sha256 or longer:
            raise DigestMismatch(
                f"{source.name}: {source.path} has changed since the run looked at it; run it again to use the new "
                "content"
            )

    # --- getting

    def _get(self, artifacts: Sequence[Artifact]) -> None:
        files = {a.sha256: (a.size, a.path) for a in artifacts if a.kind != "folder" and not self._is_here(a.sha256)}
        listings: dict[str, bytes] = {}
        for artifact in artifacts:
            if artifact.kind == "folder":
                listing = self._listing_of(artifact)
                listings[artifact.sha256] = listing
                for entry in entries_of(listing, artifact.path):
                    if entry.kind == "f" and not self._is_here(entry.sha256):
                        files[entry.sha256] = (entry.size, f"{artifact.path}/{entry.path}")
        self._receive(files)
        for sha256, listing in listings.items():
            self._keep(listing, sha256)

    def _is_here(self, sha256: str) -> bool:
        return os.path.exists(object_path(self._store, sha256))

    def _listing_of(self, artifact: Artifact) -> bytes:
        try:
            with open(object_path(self._store, artifact.sha256), "rb") as file:
                return file.read()
        except FileNotFoundError:
            listing = self._listing_there(artifact.sha256)
            if listing is None:
                raise InputMissing(f"{artifact.path}: the machine does not have {artifact.sha256} any more") from None
            return listing

    def _listing_there(self, sha256: str) -> bytes | None:
        """Ask the machine for a listing; None when it has none."""
        told = self._ask({"op": "give", "objects": [(sha256, 0)]})
        if "missing" in told:
            return None
        content = b"".join(
            b"".join(pieces) if kind == b"d" else bytes(length)
            for kind, length, pieces in bodies(self._reader, told["size"])
        )
        if digest_bytes(content) != sha256:
            raise DigestMismatch(f"the listing {sha256} was damaged on the machine or on its way")
        return content

    def _keep(self, listing: bytes, sha256: str) -> None:
        try:
            put_bytes(self._store, listing, sha256)
        except OSError as error:
            raise local_problem(error, "the project's store") from error

    def _receive(self, files: Mapping[str, tuple[int, str]]) -> None:
        if not files:
            return
        rows = [(sha256, part_size(self._store, sha256, size)) for sha256, (size, _) in files.items()]
        self._writer.line({"op": "give", "objects": rows})
        self._writer.flush()
        for sha256, offset in rows:
            path = files[sha256][1]
            told = self._answer()
            if "missing" in told:
                raise InputMissing(f"{path}: the machine does not have {sha256} any more")
            try:
                receive_body(self._reader, self._store, sha256, told["size"], offset)
            except (Damaged, StagingProblem) as error:
                raise DigestMismatch(f"{path}: it was damaged on the machine or on its way: {error}") from error
            except OSError as error:
                raise local_problem(error, path) from error
            self._progress += 1

    def _fetch(self, root: str, paths: Sequence[str], into: Path) -> None:
        self._ask_files(root, paths)
        for path in paths:
            told = self._answer()
            if "missing" in told:
                raise InputMissing(f"{path}: it is not in {root} on the machine")
            target = into / path
            partial = target.parent / f".{target.name}.{os.urandom(6).hex()}"
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._write_file(partial, told, path)
                partial.replace(target)
            except OSError as error:
                raise local_problem(error, path) from error
            finally:
                partial.unlink(missing_ok=True)

    def _ask_files(self, root: str, paths: Sequence[str]) -> None:
        self._writer.line({"op": "files", "root": root, "paths": list(paths)})
        self._writer.flush()

    def _write_file(self, partial: Path, told: Mapping[str, Any], path: str) -> None:
        import hashlib  # noqa: PLC0415  not needed unless something failed and is looked at

        digest = hashlib.sha256()
        with partial.open("xb") as file:
            try:
                for kind, length, pieces in bodies(self._reader, told["size"]):
                    for piece in (bytes(length),) if kind == b"h" else pieces:
                        digest.update(piece)
                        file.write(piece)
            except StagingProblem as error:
                raise DigestMismatch(f"{path}: {error}") from error
        if self._answer()["sha256"] != digest.hexdigest():
            raise DigestMismatch(f"{path}: it was damaged on its way")
        partial.chmod(told["mode"])


def entries_of(listing: bytes, name: str) -> Sequence[Entry]:
    """Say what is in a folder; the name is for messages.

    Raises:
        DigestMismatch: when it is no listing.
    """
    try:
        return parse_listing(listing)
    except NotStorable as error:
        raise DigestMismatch(f"{name}: {error}") from error


def local_problem(error: OSError, name: str) -> StagingError:
    """Say what prevents that something is written here, by its class."""
    problem = translate(error, f"{name}: it cannot be written here")
    return DiskFull(str(problem)) if problem.full else StagingError(str(problem))
