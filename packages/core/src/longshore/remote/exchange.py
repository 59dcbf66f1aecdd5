"""The program that takes objects into a machine's store and gives them out of it, over its standard input and output.

It answers one line after the other, in the packed form of `longshore.remote.packing`:

``lack``
    objects: rows of sha256, size and kind (``file`` or ``folder``; for a folder the size does not count). Answered by
    ``lack``: rows of an index into these and an offset from which the object can be continued; what is not named there
    is in the store, a folder with all its files.
``take``
    objects: rows of sha256, size and offset; their bodies follow in this order. Answered by ``taken``, their number.
``give``
    objects: rows of sha256 and offset. Each is answered by ``object`` and ``size``, and its body from the offset on;
    or by ``missing``.
``near``
    path and answer, of a file that is on the controller's computer, and of one beside it. Answered by ``near``: whether
    the file is here too, and the other one was written with the same content.
``link``
    objects: rows of sha256, size, path, and whether the file there is an object of a store of ours. They are in the
    store afterwards, without having travelled. Answered by ``linked``, their number.
``hand``
    store and objects: digests that are in that store afterwards, too. Answered by ``handed``, their number, or by
    ``missing``.
``serve``
    pem, a certificate with its key, and hosts, names by which this machine may be found. Others who have that key may
    ask to ``give`` from now on, until this program ends. Answered by ``hosts`` and ``port``, or by ``apart``, which
    says why that cannot be.
``pull``
    objects: rows of sha256, size and kind, which are in the store afterwards; pem, hosts and port of the door of
    another machine that has them. Without a pem the controller is asked instead: a ``give`` is said here, and answered
    here. In the end answered by ``pulled``, by ``missing``, or by ``apart``, which says why the door cannot be reached.
``draw``
    objects: rows of sha256 and size, and of the request to a bucket for it URL and headers. They are in the store
    afterwards. Answered by ``drawn``, their number, by ``missing``, or by ``apart``, which says why the bucket cannot
    be reached.
``read``
    objects: rows of a name like a digest, under which one that breaks off can be continued, and of URL and headers of
    the request for an object of which nobody knows the digest. Answered by ``read``, of each digest and size, or
    nothing when the bucket does not have it; or by ``apart``, as above.
``send``
    objects: rows of sha256, where its bytes begin, how many they are, and of the request that takes them URL and
    headers. Answered by ``sent``, a list of the tags that the bucket has answered, or as ``draw``.
``clear``
    The store goes: its run needs nothing of it. Answered by ``cleared``.
``files``
    root, and paths below it. Each is answered by ``file``, ``size`` and ``mode``, its whole body and ``sha256``; or by
    ``missing``.

What goes wrong is answered by ``problem``, a text, with ``kind`` (full, damaged or other) and ``object``, and ends the
program.

A store belongs to a run: it is ``<folder>/runs/<run>.<machine>/store``, or that of several machines that share it. In
``<folder>/cache`` all that was ever sent to this machine is kept for some time, as other names of the same files, so
that the next run need not be sent it again.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from longshore.remote.arriving import Damaged, part_size, receive_body
from longshore.remote.digest import NotStorable, parse_listing
from longshore.remote.nearby import answer_mark, hand_over, link, take_over
from longshore.remote.packing import Broken, Reader, Writer, send_body
from longshore.remote.peering import Apart, Door, addresses, bring, knock
from longshore.remote.store import StagingProblem, inside, is_digest, object_path, remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Dict

    Message = Dict[str, Any]

__all__ = ["exchange"]

_TRIM_SECONDS = 24 * 3600
_KEPT_SECONDS = 14 * _TRIM_SECONDS
_READ = os.O_RDONLY | os.O_CLOEXEC


def exchange(store: str) -> None:
    """Serve a store until standard input ends."""
    os.umask(0o077)
    Exchange(store, Reader(lambda size: os.read(0, size)), Writer(_write)).serve()


def _write(content: Any) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(1, view) :]


class Exchange:
    """A store and the streams through which others reach it."""

    def __init__(self, store: str, reader: Reader, writer: Writer) -> None:
        self._store = store
        self._cache = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(store))), "cache")
        self._reader = reader
        self._writer = writer

    def serve(self) -> None:
        """Answer until nothing more is asked, or something has gone wrong."""
        operations: Dict[str, Callable[[Message], None]] = {
            "lack": self._lack,
            "take": self._take,
            "give": self._give,
            "files": self._files,
            "near": self._near,
            "link": self._link,
            "hand": self._hand,
            "clear": self._clear,
            "serve": self._open_door,
            "pull": self._pull,
            "draw": self._lend,
            "read": self._lend,
            "send": self._lend,
        }
        try:
            while True:
                message = self._reader.line()
                if message is None:
                    self._trim()
                    return
                operations[message["op"]](message)
                self._writer.flush()
        except Broken:
            return
        except Damaged as error:
            self._problem("damaged", str(error))
        except StagingProblem as error:
            self._problem("other", str(error))
        except (KeyError, TypeError, ValueError) as error:
            self._problem("other", "%s: %s" % (type(error).__name__, error))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else self._store
            self._problem("full" if full else "other", "%s: %s" % (name, error.strerror or error))

    def _problem(self, kind: str, text: str, sha256: str = "") -> None:
        try:
            self._writer.line({"problem": text, "kind": kind, "object": sha256})
            self._writer.flush()
        except (Broken, OSError):
            pass  # nobody listens any more, and the program ends in any case

    def _lack(self, message: Message) -> None:
        lack = [
            (index, part_size(self._store, sha256, size))
            for index, (sha256, size, kind) in enumerate(message["objects"])
            if not self._has_row((sha256, size, kind))
        ]
        self._writer.line({"lack": lack})

    def _has_folder(self, sha256: str) -> bool:
        if not self._has(sha256, None):
            return False
        try:
            with open(object_path(self._store, sha256), "rb") as file:
                entries = parse_listing(file.read())
        except NotStorable:
            return False
        return all(self._has(entry.sha256, entry.size) for entry in entries if entry.kind == "f")

    def _has(self, sha256: str, size: int | None) -> bool:
        place = object_path(self._store, sha256)
        try:
            return size in (None, os.stat(place).st_size)
        except OSError:
            pass
        kept = object_path(self._cache, sha256)
        try:
            if size not in (None, os.stat(kept).st_size):
                return False
            link(kept, place)
            os.utime(kept)
        except OSError:
            return False
        return True

    def _take(self, message: Message) -> None:
        for sha256, size, offset in message["objects"]:
            try:
                receive_body(self._reader, self._store, sha256, size, offset)
            except Damaged as error:
                self._problem("damaged", str(error), sha256)
                sys.exit(1)
        self._writer.line({"taken": len(message["objects"])})
        self._writer.flush()  # nobody has to wait for what is for later runs
        for sha256, _, _ in message["objects"]:
            self._remember(sha256)

    def _remember(self, sha256: str) -> None:
        try:
            link(object_path(self._store, sha256), object_path(self._cache, sha256))
        except OSError:
            pass  # the next run is sent it again

    def _give(self, message: Message) -> None:
        for sha256, offset in message["objects"]:
            try:
                # Visitors ask, too; they are to see objects and no other files.
                handle = os.open(object_path(self._store, sha256), _READ) if is_digest(sha256) else -1
            except FileNotFoundError:
                handle = -1
            if handle < 0:
                self._writer.line({"missing": sha256})
                continue
            try:
                size = os.fstat(handle).st_size
                self._writer.line({"object": sha256, "size": size})
                send_body(self._writer, handle, size, min(offset, size))
            finally:
                os.close(handle)

    def _files(self, message: Message) -> None:
        for path in message["paths"]:
            place = os.path.join(message["root"], path)
            if not inside(path) or not os.path.isfile(place):
                self._writer.line({"missing": path})
                continue
            handle = os.open(place, _READ)
            try:
                status = os.fstat(handle)
                self._writer.line({"file": path, "size": status.st_size, "mode": status.st_mode & 0o777})
                self._writer.line({"sha256": send_body(self._writer, handle, status.st_size, 0)})
            finally:
                os.close(handle)

    def _near(self, message: Message) -> None:
        self._writer.line({"near": answer_mark(message["path"], message["answer"])})

    def _link(self, message: Message) -> None:
        take_over(self._store, message["objects"])
        self._writer.line({"linked": len(message["objects"])})

    def _hand(self, message: Message) -> None:
        missing = hand_over(self._store, message["store"], message["objects"])
        self._writer.line({"missing": missing} if missing else {"handed": len(message["objects"])})

    def _open_door(self, message: Message) -> None:
        spare = os.path.join(self._store, "tmp")
        try:
            door = Door(message["pem"], spare, lambda reader, writer: Exchange(self._store, reader, writer).give_only())
        except (OSError, ImportError) as error:
            self._writer.line({"apart": str(error)})
        else:
            self._writer.line({"hosts": addresses(message["hosts"]), "port": door.port})

    def give_only(self) -> None:
        """Answer a visitor, who may ask for objects and for nothing else.

        Raises:
            Broken, OSError: when he has gone.
            KeyError, TypeError, ValueError: when he says what makes no sense.
        """
        while True:
            message = self._reader.line()
            if message is None or message.get("op") != "give":
                return
            self._give(message)
            self._writer.flush()

    def _pull(self, message: Message) -> None:
        rows = message["objects"]
        try:
            if "pem" not in message:
                missing = bring(self._store, rows, self._reader, self._writer, self._has_row)
            else:
                spare = os.path.join(self._store, "tmp")
                with knock(message["pem"], spare, message["hosts"], message["port"]) as (reader, writer):
                    missing = bring(self._store, rows, reader, writer, self._has_row)
        except (Apart, Broken) as error:
            if "pem" not in message:
                raise
            self._writer.line({"apart": str(error)})
            return
        self._writer.line({"missing": missing} if missing else {"pulled": len(rows)})

    def _lend(self, message: Message) -> None:
        from longshore.remote.lending import answer  # noqa: PLC0415  few runs have a bucket, and all wait for imports

        told, come = answer(self._store, message, self._has)
        for sha256 in come:
            self._remember(sha256)
        self._writer.line(told)

    def _has_row(self, row: tuple[str, int, str]) -> bool:
        sha256, size, kind = row
        return self._has(sha256, size) if kind == "file" else self._has_folder(sha256)

    def _clear(self, _message: Message) -> None:
        gone = "%s.%s" % (self._store, os.urandom(6).hex())
        try:
            os.rename(self._store, gone)  # for whoever else is about to remove it
            remove_tree(gone)
            os.rmdir(os.path.dirname(self._store))
        except OSError:
            pass  # it has gone, or what is left cannot be removed
        self._writer.line({"cleared": True})

    def _trim(self) -> None:
        """Remove from the cache what no run has asked for in a long time; once a day is enough."""
        now = time.time()
        stamp = os.path.join(self._cache, "trimmed")
        try:
            if now - os.stat(stamp).st_mtime < _TRIM_SECONDS:
                return
        except OSError:
            pass
        try:
            os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(stamp)
        except OSError:
            return
        before = now - _KEPT_SECONDS
        for folder, _, names in os.walk(os.path.join(self._cache, "objects")):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    if os.stat(path).st_mtime < before:
                        os.unlink(path)
                except OSError:
                    continue
