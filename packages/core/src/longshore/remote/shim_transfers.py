"""Objects on their way to a machine's store and home from it, where a shim is at the other end.

To a shim objects travel as tar archives, since there a whole archive is unpacked, digested and stored by a handful of
processes; a big one travels by itself, and is digested as it comes. From a shim they come as they are, one after the
other, after a line for each that says its size.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from longshore.errors import DigestMismatch, InputMissing, PeerOutOfReach, StagingError
from longshore.plugin.areas import Request, Unread
from longshore.remote.arriving import Damaged, Part
from longshore.remote.bringing import local_problem
from longshore.remote.digest import digest_bytes
from longshore.remote.packing import Broken
from longshore.remote.sources import Source
from longshore.remote.staged import Files, Sent, StagedTransfers, check_answer
from longshore.remote.words import word

__all__ = ["ShimTransfers"]

_AT_ONCE = 400
"""Objects that are asked for together: few enough that question and answer fit into pipes, and names into a command."""
_ARCHIVE_BYTES = 1 << 30
_BIG_BYTES = 4 << 20
"""So big an object is worth processes of its own."""
_BLOCK_BYTES = 512
_SILENT_SECONDS = 60
_CHUNK_BYTES = 1 << 20

_Row = TypeVar("_Row")


class ShimTransfers(StagedTransfers):
    """Moves objects between the project's store and that of one machine, through the shim's ``exchange``."""

    def _ask_lines(self, request: bytes, lines: Sequence[str]) -> list[dict[str, object]]:
        """Ask with a list; give the answers up to their end."""
        self._writer.write(request + b"\n" + "".join(f"{line}\n" for line in lines).encode() + b".\n")
        self._writer.flush()
        answers = []
        while "end" not in (told := self._answer()):
            answers.append(told)
        return answers

    def _lacked(self, rows: Sequence[tuple[str, int, str]]) -> Mapping[str, int]:
        return {
            str(told["lack"]): 0
            for some in _batches(rows)
            for told in self._ask_lines(b"lack", [f"{sha256} {size} {kind}" for sha256, size, kind in some])
        }

    def clear(self) -> None:
        """Remove the machine's store with all that is in it."""
        self._repeat(self._clear)

    def _clear(self) -> None:
        self._writer.write(b"clear\n")
        self._writer.flush()
        self._answer()

    # --- to a bucket and from there

    def _asked_to_send(self, wanted: Sequence[Sent], files: Files) -> Sequence[str]:
        lines = [f"{sha256} {each.start} {each.size} {_for_curl(each)}" for sha256, each in wanted]
        return [told["sent"] for told in self._asked(b"send", lines, files, "the machine")]

    def _asked_to_draw(self, wanted: Sequence[Sent], files: Files) -> None:
        self._asked(b"draw", [f"{sha256} {_for_curl(each)}" for sha256, each in wanted], files, "the bucket")

    def _asked_to_read(self, objects: Sequence[Unread]) -> Sequence[tuple[str, int] | None]:
        answers = self._asked(b"read", [_for_curl(each.request) for each in objects], {}, "the bucket")
        return [(each["read"], int(each["size"])) if each["read"] else None for each in answers]

    def _asked(self, request: bytes, lines: Sequence[str], files: Files, whose: str) -> list[dict[str, str]]:
        answers = [{key: str(value) for key, value in told.items()} for told in self._ask_lines(request, lines)]
        for told in answers:
            check_answer(told, files, whose)
        return answers

    # --- putting

    def _send(self, sources: Sequence[Source], offsets: Mapping[str, int]) -> None:
        for source in sources:
            source.check()
        # Archives go last, since what makes a folder whole is in them.
        for source in filter(_is_big, sources):
            self._writer.write(f"whole {source.sha256} {source.size}\n".encode())
            with self._answered():
                self._send_file(source)
            self._progress += 1
        for archive in _archives([source for source in sources if not _is_big(source)]):
            total = sum(_BLOCK_BYTES + _padded(source.size) for source in archive) + 2 * _BLOCK_BYTES
            self._writer.write(b"take %d\n" % total)
            with self._answered():
                for source in archive:
                    self._send_one(source, offsets[source.sha256])
                self._writer.write(bytes(2 * _BLOCK_BYTES))
            self._progress += len(archive)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Wait for the answer to what a block sends."""
        try:
            yield
            self._writer.flush()
        except Broken:
            self._answer()  # says why, if the machine has ended it
            raise
        self._answer()

    def _send_one(self, source: Source, _offset: int) -> None:
        head = tarfile.TarInfo(f"objects/{source.sha256[:2]}/{source.sha256}")
        head.size = source.size
        head.mode = 0o444
        self._writer.write(head.tobuf(tarfile.GNU_FORMAT))
        if source.path:
            self._send_file(source)
        else:
            self._writer.write(source.content)
        self._writer.write(bytes(_padded(source.size) - source.size))

    def _send_file(self, source: Source) -> None:
        digest = hashlib.sha256()
        left = source.size
        try:
            with open(source.path, "rb", buffering=0) as file:
                while left and (content := file.read(min(left, _CHUNK_BYTES))):
                    digest.update(content)
                    left -= len(content)
                    self._writer.write(content)
                longer = file.read(1)
        except FileNotFoundError as error:
            raise InputMissing(f"{source.name}: {source.path}: {error.strerror}") from error
        except OSError as error:
            raise StagingError(f"{source.name}: {source.path}: {error.strerror}") from error
        if left or longer or digest.hexdigest() != source.sha256:
            raise DigestMismatch(
                f"{source.name}: {source.path} has changed since the run looked at it; run it again to use the new "
                "content"
            )

    # --- getting

    def _give(self, digests: Sequence[str]) -> Mapping[str, int]:
        """Ask for objects; give the sizes of those that are there, whose bytes follow in this order."""
        told = self._ask_lines(b"give", digests)
        return {str(each["object"]).rpartition("/")[2]: int(str(each["size"])) for each in told if "object" in each}

    def _listing_there(self, sha256: str) -> bytes | None:
        found = self._give([sha256])
        if sha256 not in found:
            return None
        listing = self._reader.exactly(found[sha256])
        if digest_bytes(listing) != sha256:
            raise DigestMismatch(f"the listing {sha256} was damaged on the machine or on its way")
        return listing

    def _receive(self, files: Mapping[str, tuple[int, str]]) -> None:
        for some in _batches(list(files)):
            found = self._give(some)
            for sha256 in some:
                if sha256 not in found:
                    raise InputMissing(f"{files[sha256][1]}: the machine does not have {sha256} any more")
            for sha256, size in found.items():
                self._receive_one(sha256, size, files[sha256][1])

    def _receive_one(self, sha256: str, size: int, path: str) -> None:
        try:
            part = Part(self._store, sha256, size, 0)
            try:
                for piece in self._reader.pieces(size):
                    part.write(piece)
                part.finish()
            except (OSError, Broken):
                part.drop()
                raise
        except Damaged as error:
            raise DigestMismatch(f"{path}: it was damaged on the machine or on its way: {error}") from error
        except OSError as error:
            raise local_problem(error, path) from error
        self._progress += 1

    def _ask_files(self, root: str, paths: Sequence[str]) -> None:
        lines = [b"files " + word(root), *map(word, paths), b"."]
        self._writer.write(b"\n".join(lines) + b"\n")
        self._writer.flush()

    def _write_file(self, partial: Path, told: Mapping[str, object], path: str) -> None:
        digest = hashlib.sha256()
        with partial.open("xb") as file:
            for piece in self._reader.pieces(int(str(told["size"]))):
                digest.update(piece)
                file.write(piece)
        if self._answer()["sha256"] != digest.hexdigest():
            raise DigestMismatch(f"{path}: it was damaged on its way")
        partial.chmod(int(str(told["mode"]), 8) & 0o777)


def _for_curl(request: Request) -> str:
    """Write a request as the file from which curl reads its options, in base64. Certificates are verified, and
    redirections not followed, as that is so without further words.
    """
    headers = {"Content-Type": "application/octet-stream", **request.headers}
    lines = [
        f"url = {_quoted(request.url)}",
        *(f"header = {_quoted(f'{name}: {value}')}" for name, value in headers.items()),
        *("silent", "show-error", "globoff", 'proto = "=http,https"', 'write-out = "%{http_code}"'),
        *("retry = 3", "connect-timeout = 10", "speed-limit = 1", f"speed-time = {_SILENT_SECONDS}"),
    ]
    return base64.b64encode("\n".join([*lines, ""]).encode()).decode()


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise PeerOutOfReach("a request to the bucket has signs in it that none can have")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _batches(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _is_big(source: Source) -> bool:
    return bool(source.path) and source.size >= _BIG_BYTES


def _archives(sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    """Cut what is to be sent into archives: what has arrived in one need not be sent again when the next breaks off."""
    archive: list[Source] = []
    size = 0
    for source in sources:
        archive.append(source)
        size += source.size
        if size >= _ARCHIVE_BYTES:
            yield archive
            archive, size = [], 0
    if archive:
        yield archive


def _padded(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
