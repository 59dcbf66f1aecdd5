"""What the controller brings home from a machine, in the packed form: objects of its store, files of its folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from longshore.errors import DigestMismatch, DiskFull, InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.remote.arriving import Damaged, part_size, receive_body
from longshore.remote.asking import Asking, DataStream
from longshore.remote.digest import Entry, NotStorable, digest_bytes, parse_listing
from longshore.remote.packing import bodies
from longshore.remote.store import StagingProblem, object_path, put_bytes, translate

__all__ = ["Bringing", "entries_of", "local_problem"]


class Bringing(Asking):
    """Brings what a machine has into the project's store, over a stream that is opened when needed."""

    def __init__(self, open_stream: Callable[[], DataStream], store: Path) -> None:
        """Prepare; ``open_stream`` is as in `Transfers`, and ``store`` the project's."""
        super().__init__(open_stream)
        self._store = str(store)

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
