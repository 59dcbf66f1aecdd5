"""What a file or folder is known by: the SHA-256 of its bytes, or of its listing.

The listing of a folder is plain ASCII, so that every program that can sort can write it. Its first line is
``longshore-folder 1``; then follows one line for each thing below the folder, however deep, sorted by the bytes of its
path::

    d <mode> <path>                     a folder, empty ones too
    f <mode> <size> <sha256> <path>     a file
    l <target> <path>                   a symbolic link, whatever it points to

``mode`` is the nine permission bits as four octal digits. Paths are relative, with ``/`` between their parts. In paths
and targets each byte that is not a visible ASCII character, and ``%`` itself, is written as ``%`` and two upper-case
hexadecimal digits, so names need not be text. A folder's own mode is no part of its listing, as a file's mode is no
part of its bytes.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import stat

from longshore.remote.walking import walk_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Tuple

    Digester = Callable[[str, os.stat_result], Tuple[str, int]]

__all__ = [
    "Entry",
    "FolderDigest",
    "NotStorable",
    "digest_bytes",
    "digest_file",
    "digest_folder",
    "digest_found",
    "parse_listing",
    "write_listing",
]

HEADER = b"longshore-folder 1\n"
CHUNK_BYTES = 1 << 20
_SMALL_BYTES = 1 << 16
"""For more than twice that, memory is mapped anew each time, and that takes longer than to read a small file."""
MODE_BITS = 0o777

_PLAIN = bytes(code for code in range(0x21, 0x7F) if code != 0x25)
_QUOTED = [chr(code) if code in _PLAIN else "%%%02X" % code for code in range(256)]


class NotStorable(Exception):
    """Something that is neither file, folder nor link, or a listing that is none."""


class Entry:
    """One thing below a folder. ``kind`` is ``d``, ``f`` or ``l``; the fields that a kind does not have are empty."""

    __slots__ = ("kind", "mode", "path", "sha256", "size", "target")

    def __init__(self, kind: str, path: str, mode: int = 0, size: int = 0, sha256: str = "", target: str = "") -> None:
        self.kind = kind
        self.path = path
        self.mode = mode
        self.size = size
        self.sha256 = sha256
        self.target = target


class FolderDigest:
    """A folder's digest, the bytes of its files together, its listing, and what is in it."""

    __slots__ = ("entries", "listing", "sha256", "size")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.listing = write_listing(entries)
        self.sha256 = digest_bytes(self.listing)
        self.size = sum(entry.size for entry in entries)


def digest_bytes(content: bytes) -> str:
    """Digest what is in memory."""
    import hashlib  # noqa: PLC0415  costs milliseconds of start-up, and most attempts have no files

    return hashlib.sha256(content).hexdigest()


def digest_file(path: str) -> tuple[str, int]:
    """Digest a file; give its digest and how many bytes were read.

    Raises:
        OSError: when it cannot be read.
    """
    import hashlib  # noqa: PLC0415  as above

    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(handle, _SMALL_BYTES)
        digest = hashlib.sha256(content)
        size = len(content)
        if size == _SMALL_BYTES:
            buffer = bytearray(CHUNK_BYTES)
            view = memoryview(buffer)
            count = os.readv(handle, [buffer])
            while count:
                digest.update(view[:count])
                size += count
                count = os.readv(handle, [buffer])
    finally:
        os.close(handle)
    return digest.hexdigest(), size


def digest_folder(root: str) -> FolderDigest:
    """Digest a folder and all that is in it; links are noted, never followed. It raises what `digest_found` does."""
    return digest_found(walk_folder(root))


def digest_found(found: Iterable[tuple[str, os.DirEntry[str]]], digest: Digester | None = None) -> FolderDigest:
    """Digest of a folder what was found in it.

    Args:
        found: as `longshore.remote.walking` gives it.
        digest: how a file is digested, from where it is and how it looks, for callers that remember digests.

    Raises:
        NotStorable: when there is a socket, pipe or device in it.
        OSError: when something in it cannot be read.
    """
    entries = [_look(item.path, path, digest or _digest_anew) for path, item in found]
    entries.sort(key=_order)
    return FolderDigest(entries)


def _look(place: str, path: str, digest: Digester) -> Entry:
    status = os.lstat(place)
    mode = status.st_mode & MODE_BITS
    if stat.S_ISREG(status.st_mode):
        sha256, size = digest(place, status)
        return Entry("f", path, mode=mode, size=size, sha256=sha256)
    if stat.S_ISDIR(status.st_mode):
        return Entry("d", path, mode=mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry("l", path, target=os.readlink(place))
    raise NotStorable("%s is a socket, pipe or device; only files, folders and links can be kept" % place)


def _digest_anew(place: str, _status: os.stat_result) -> tuple[str, int]:
    return digest_file(place)


def _order(entry: Entry) -> bytes:
    return os.fsencode(entry.path)


def write_listing(entries: Iterable[Entry]) -> bytes:
    """Write the listing of entries that are in order."""
    lines = []
    for entry in entries:
        path = _quote(entry.path)
        if entry.kind == "f":
            lines.append("f %04o %d %s %s\n" % (entry.mode, entry.size, entry.sha256, path))
        elif entry.kind == "d":
            lines.append("d %04o %s\n" % (entry.mode, path))
        else:
            lines.append("l %s %s\n" % (_quote(entry.target), path))
    return HEADER + "".join(lines).encode("ascii")


def parse_listing(listing: bytes) -> list[Entry]:
    """Read a listing. Whoever uses it may trust that no path leads out of the folder by its own words.

    Raises:
        NotStorable: when it is damaged, or a path in it is absolute or has ``..``.
    """
    if not listing.startswith(HEADER):
        raise NotStorable("this is no listing of a folder")
    try:
        entries = [_parse(line.split(" ")) for line in listing[len(HEADER) :].decode("ascii").splitlines()]
    except (ValueError, IndexError) as error:
        raise NotStorable("the listing of a folder is damaged: %s" % error) from error
    for entry in entries:
        if not entry.path or any(part in ("", ".", "..") for part in entry.path.split("/")):
            raise NotStorable("the listing of a folder has the path %r, which leads out of it" % entry.path)
    return entries


def _parse(words: list[str]) -> Entry:
    if words[0] == "f":
        return Entry("f", _unquote(words[4]), mode=int(words[1], 8), size=int(words[2]), sha256=words[3])
    if words[0] == "d":
        return Entry("d", _unquote(words[2]), mode=int(words[1], 8))
    if words[0] == "l":
        return Entry("l", _unquote(words[2]), target=_unquote(words[1]))
    raise ValueError("unknown kind %r" % words[0])


def _quote(text: str) -> str:
    raw = os.fsencode(text)
    if not raw.translate(None, _PLAIN):
        return raw.decode("ascii")
    return "".join([_QUOTED[code] for code in raw])


def _unquote(text: str) -> str:
    first, *rest = text.split("%")
    raw = first.encode("ascii") + b"".join(bytes([int(part[:2], 16)]) + part[2:].encode("ascii") for part in rest)
    return os.fsdecode(raw)
