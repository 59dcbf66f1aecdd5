"""Objects that go from one machine to another: the door of the one that has them, and the way of the one that wants
them.

A door is a TLS listener for as long as the program runs that opened it. Both sides show the same certificate, and take
no other one: it was made for this door, its key reached them by the links that are proven, and it ends with the door.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager

from longshore.remote.arriving import Damaged, part_size, receive_body
from longshore.remote.digest import NotStorable, digest_bytes, parse_listing
from longshore.remote.packing import Broken, Reader, Writer, bodies
from longshore.remote.store import put_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Tuple, Union

    Bytes = Union[bytes, memoryview]
    Row = Tuple[str, int, str]

__all__ = ["Apart", "Door", "addresses", "bring", "knock"]

_KNOCK_SECONDS = 3.0
_SILENT_SECONDS = 60.0
_READ_BYTES = 1 << 18
_BACKLOG = 16
_MOST_ADDRESSES = 4
_MOST_VISITORS = 64
"""More at once are turned away at the door, whoever they are."""


class Apart(Exception):
    """There is no way from here to the door."""


class Door:
    """Lets those in who have its certificate; each is served by a thread of its own."""

    def __init__(self, pem: str, spare: str, serve: Callable[[Reader, Writer], None]) -> None:
        """Open it.

        Args:
            pem: its certificate and private key.
            spare: a folder that is ours alone, for a moment.
            serve: answers a visitor until he goes.

        Raises:
            OSError, ImportError: when that cannot be.
        """
        self._context = _context(pem, spare, server=True)
        self._serve = serve
        self._places = threading.BoundedSemaphore(_MOST_VISITORS)
        self._listener = _listen()
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return  # there is no room for any; data take the other way
            if self._places.acquire(blocking=False):
                threading.Thread(target=self._receive, args=(visitor,), daemon=True).start()
            else:
                visitor.close()

    def _receive(self, visitor: socket.socket) -> None:
        visitor.settimeout(_SILENT_SECONDS)
        try:
            with self._context.wrap_socket(visitor, server_side=True) as link:
                self._serve(*_ends(link))
        except (OSError, Broken, KeyError, TypeError, ValueError):
            visitor.close()  # he has the wrong key, has gone, or makes no sense
        finally:
            self._places.release()


def _listen() -> socket.socket:
    """Listen wherever others may come from."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
        except OSError:
            pass  # the kernel knows no IPv6
    return socket.create_server(("", 0), backlog=_BACKLOG)


def addresses(known: Iterable[str]) -> list[str]:
    """Give the addresses at which others may find this computer, the likeliest first."""
    found = [*os.environ.get("SSH_CONNECTION", "").split()[2:3], *known]
    try:
        found += [str(row[4][0]) for row in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)]
    except OSError:
        pass  # its name has no address
    return list(dict.fromkeys(found))[:_MOST_ADDRESSES]


def _context(pem: str, spare: str, *, server: bool) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  takes long, and is not everywhere

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # it is not for a name; nobody else has the key
    context.verify_mode = ssl.CERT_REQUIRED
    os.makedirs(spare, mode=0o700, exist_ok=True)
    path = os.path.join(spare, os.urandom(12).hex())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w") as file:
            file.write(pem)
        context.load_cert_chain(path)
        context.load_verify_locations(path)
    finally:
        os.unlink(path)
    return context


def _ends(link: socket.socket) -> tuple[Reader, Writer]:
    def receive(size: int) -> bytes:
        try:
            return link.recv(min(size, _READ_BYTES))
        except OSError as error:
            raise Broken(str(error)) from None

    def send(content: Bytes) -> None:
        try:
            link.sendall(content)
        except OSError as error:
            raise Broken(str(error)) from None

    return Reader(receive), Writer(send)


@contextmanager
def knock(pem: str, spare: str, places: Iterable[str], port: int) -> Iterator[tuple[Reader, Writer]]:
    """Go to a door, and give the two ends of the link for a block.

    Raises:
        Apart: when it is at none of the places; says why not.
    """
    reasons = []
    for place in places:
        try:
            link = _enter(pem, spare, place, port)
        except (OSError, ImportError) as error:
            reasons.append("%s port %d: %s" % (place, port, error))
            continue
        with link:
            yield _ends(link)
        return
    raise Apart("; ".join(reasons) or "it has no address")


def _enter(pem: str, spare: str, place: str, port: int) -> socket.socket:
    context = _context(pem, spare, server=False)
    raw = socket.create_connection((place, port), _KNOCK_SECONDS)
    try:
        link = context.wrap_socket(raw)
    except BaseException:
        raw.close()
        raise
    link.settimeout(_SILENT_SECONDS)
    return link


def bring(store: str, rows: Iterable[Row], reader: Reader, writer: Writer, has: Callable[[Row], bool]) -> str:
    """Bring what a store lacks from one that answers at the other end; give the digest of what is not there.

    Args:
        store: ours.
        rows: sha256, size and kind; a folder is brought with all that is in it.
        reader: what the other end says.
        writer: what it is told.
        has: says whether something is here whole.

    Raises:
        Broken: when the other end is gone.
        Damaged: when something is not what its digest says.
        StagingProblem, OSError: as `receive_body`.
    """
    wanted = {}
    listings = {}
    for row in rows:
        if has(row):
            continue
        sha256, size, kind = row
        if kind != "folder":
            wanted[sha256] = size
            continue
        content = _listing(sha256, reader, writer)
        if content is None:
            return sha256
        listings[sha256] = content
        wanted.update(_files(content, has))
    asked = [(sha256, part_size(store, sha256, size)) for sha256, size in wanted.items()]
    if asked:
        _say(writer, {"op": "give", "objects": asked})
    for sha256, offset in asked:
        told = _hear(reader)
        if "missing" in told:
            return sha256
        receive_body(reader, store, sha256, told["size"], offset)
    for sha256, content in listings.items():
        put_bytes(store, content, sha256)
    return ""


def _listing(sha256: str, reader: Reader, writer: Writer) -> bytes | None:
    _say(writer, {"op": "give", "objects": [(sha256, 0)]})
    told = _hear(reader)
    if "missing" in told:
        return None
    content = b"".join(
        b"".join(pieces) if kind == b"d" else bytes(length) for kind, length, pieces in bodies(reader, told["size"])
    )
    if digest_bytes(content) != sha256:
        raise Damaged("the listing %s was damaged" % sha256)
    return content


def _files(listing: bytes, has: Callable[[Row], bool]) -> Iterator[tuple[str, int]]:
    try:
        entries = parse_listing(listing)
    except NotStorable as error:
        raise Damaged(str(error)) from None
    for entry in entries:
        if entry.kind == "f" and not has((entry.sha256, entry.size, "file")):
            yield entry.sha256, entry.size


def _say(writer: Writer, message: dict[str, Any]) -> None:
    writer.line(message)
    writer.flush()


def _hear(reader: Reader) -> dict[str, Any]:
    told = reader.line()
    if told is None or "problem" in told:
        raise Broken("the other machine's end has ended: %s" % (told or {}).get("problem", "without a word"))
    return told
