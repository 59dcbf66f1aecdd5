"""Objects that go from a machine's store to a bucket and come from there, by requests that were signed for it.

What a request's URL says is as good as a key: none of it is in what is told of a failure. Servers prove who they are by
certificates that this machine trusts; redirections are not followed, as the signature would go with them.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from longshore.remote.arriving import Damaged, Part, part_size
from longshore.remote.peering import Apart
from longshore.remote.store import object_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Dict, List, Tuple

    Drawn = Tuple[str, int, str, Dict[str, str]]
    Sent = Tuple[str, int, int, str, Dict[str, str]]
    Read = Tuple[str, str, Dict[str, str]]

__all__ = ["answer"]

_AT_ONCE = 8
_TRIES = 4
_WAIT_SECONDS = 0.5
"""Before the second try; twice as long before each one after that."""
_SILENT_SECONDS = 60.0
_CHUNK_BYTES = 1 << 18
_GONE = (404, 410)
_BUSY = (408, 429, 500, 502, 503, 504)


def answer(store: str, message: Dict[str, Any], has: Callable[[str, int], bool]) -> Tuple[Dict[str, Any], List[str]]:
    """Do what is asked by ``draw``, ``read`` or ``send``, as in `longshore.remote.exchange`; give what is to be
    answered, and the digests of what is in the store by that.

    Raises:
        Damaged: when something is not what its digest says.
        OSError: when the store cannot be written.
    """
    rows = message["objects"]
    try:
        if message["op"] == "draw":
            missing = _draw(store, rows, has)
            return ({"missing": missing}, []) if missing else ({"drawn": len(rows)}, [row[0] for row in rows])
        if message["op"] == "read":
            found = _read_unread(store, rows)
            return {"read": found}, [each[0] for each in found if each is not None]
        try:
            return {"sent": _send(store, rows)}, []
        except FileNotFoundError as error:
            return {"missing": os.path.basename(os.fsdecode(error.filename))}, []
    except Apart as error:
        return {"apart": str(error)}, []


def _draw(store: str, rows: Sequence[Drawn], has: Callable[[str, int], bool]) -> str:
    """Bring objects into a store that it lacks; give the digest of one that the bucket does not have, if there is any.

    Args:
        store: ours.
        rows: of each its sha256 and size, and URL and headers of the request for it.
        has: says whether a file is here whole.

    Raises:
        Apart: when this machine does not get to the bucket, or may not.
        Damaged: when something is not what its digest says.
        OSError: when the store cannot be written.
    """

    def fetch(row: Drawn) -> str:
        sha256, size, url, headers = row
        if has(sha256, size):
            return ""
        found = _insist(url, lambda opener: _fetch(opener, store, sha256, size, url, headers))
        return "" if found else sha256

    with ThreadPoolExecutor(_AT_ONCE) as crew:
        return next((each for each in crew.map(fetch, rows) if each), "")


def _read_unread(store: str, rows: Sequence[Read]) -> List[Tuple[str, int] | None]:
    """Bring objects into a store whose digests nobody knows; give of each digest and size, or None when the bucket does
    not have it.

    Args:
        store: ours.
        rows: of each a name like a digest, under which it can be continued, and URL and headers of the request for it.

    Raises:
        Apart: as `_draw`.
        OSError: when the store cannot be written.
    """

    def fetch(row: Read) -> Tuple[str, int] | None:
        key, url, headers = row
        found: Tuple[str, int] | None = _insist(url, lambda opener: _fetch(opener, store, key, None, url, headers))
        return found

    with ThreadPoolExecutor(_AT_ONCE) as crew:
        return list(crew.map(fetch, rows))


def _send(store: str, rows: Sequence[Sent]) -> List[str]:
    """Send objects of a store, or parts of them; give what the bucket has answered to each as its tag.

    Args:
        store: ours.
        rows: of each its sha256, where its bytes begin, how many they are, and URL and headers of the request.

    Raises:
        Apart: when this machine does not get to the bucket, or may not.
        FileNotFoundError: when the store does not have one (any more).
    """

    def put(row: Sent) -> str:
        sha256, start, size, url, headers = row
        place = object_path(store, sha256)
        return str(_insist(url, lambda opener: _put(opener, place, start, size, url, headers)))

    with ThreadPoolExecutor(_AT_ONCE) as crew:
        return list(crew.map(put, rows))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _insist(url: str, work: Callable[[urllib.request.OpenerDirector], Any]) -> Any:
    """Make a request, several times when something is in its way that may go.

    Raises:
        Apart: when it stays, or the server refuses.
    """
    server = urllib.parse.urlsplit(url)
    host = server.hostname or "the bucket"
    if server.scheme not in ("http", "https"):
        raise Apart("%s is not reached by HTTP" % host)
    wait = _WAIT_SECONDS
    for left in reversed(range(_TRIES)):
        try:
            return work(_opener())
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in _BUSY or not left:
                    raise Apart("%s answers %d %s" % (host, error.code, error.reason)) from None
        except urllib.error.URLError as error:
            if not left:
                raise Apart("%s: %s" % (host, error.reason)) from None
        except (http.client.HTTPException, ConnectionError) as error:
            if not left:
                raise Apart("%s: the connection broke (%s)" % (host, type(error).__name__)) from None
        time.sleep(wait)  # for a server that is busy; it does not say when it will not be
        wait *= 2
    raise AssertionError


def _opener() -> urllib.request.OpenerDirector:
    try:
        import ssl  # noqa: PLC0415  takes long, and is not everywhere
    except ImportError:
        raise Apart("this machine's Python knows no TLS") from None
    return urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=ssl.create_default_context()))


def _fetch(
    opener: urllib.request.OpenerDirector, store: str, name: str, size: int | None, url: str, headers: Dict[str, str]
) -> Tuple[str, int] | None:
    """Fetch an object, from where it was broken off; give its digest and size, or None when the bucket does not have
    it. Without a size, its name is not its digest.
    """
    done = part_size(store, name, sys.maxsize if size is None else size)
    more = {"Range": "bytes=%d-" % done} if done else {}
    request = urllib.request.Request(url, headers={**headers, **more})  # noqa: S310  its scheme was looked at
    try:
        answer = _open(opener, request)
    except urllib.error.HTTPError as error:
        if error.code in _GONE:
            error.close()
            return None
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            error.close()
            Part(store, name, 0, 0).drop()
            raise ConnectionError("what there was of it is not its beginning") from None
        raise
    with answer:
        if size is None and answer.length is None and not answer.chunked:
            raise Apart("the server does not say how long its answer is")  # one that is cut off looks whole
        begin = done if answer.status == http.client.PARTIAL_CONTENT else 0
        whole = begin + (answer.length or 0) if size is None else size
        part = Part(store, name, whole, begin)
        try:
            while True:
                content = _read(answer)
                if not content:
                    break
                part.write(content)
            if part.done < whole:
                raise http.client.IncompleteRead(b"", whole - part.done)
            if size is None:
                return part.settle(), part.done
            part.finish()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                part.drop()
            raise
        finally:
            part.leave()
    return name, size


def _open(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> Any:
    try:
        return opener.open(request, timeout=_SILENT_SECONDS)
    except urllib.error.URLError:
        raise
    except OSError as error:
        raise ConnectionError(type(error).__name__) from None  # a file's are told by other words


def _read(answer: Any) -> bytes:
    try:
        content: bytes = answer.read(_CHUNK_BYTES)
    except OSError as error:
        raise ConnectionError(type(error).__name__) from None
    return content


def _put(
    opener: urllib.request.OpenerDirector, place: str, start: int, size: int, url: str, headers: Dict[str, str]
) -> str:
    """Send bytes of a file, and have the bucket compare them with their MD5."""
    with open(place, "rb") as file:
        known = {"Content-Length": str(size), "Content-Type": "application/octet-stream", **_md5(file, start, size)}
        request = urllib.request.Request(  # noqa: S310  its scheme was looked at
            url, method="PUT", data=_pieces(file, start, size), headers={**known, **headers}
        )
        with _open(opener, request) as answer:
            _read(answer)
            return str(answer.headers.get("ETag", "")).strip('"')


def _md5(file: Any, start: int, size: int) -> Dict[str, str]:
    try:
        digest = hashlib.md5()  # noqa: S324  against damage; SHA-256 is compared by whoever reads it
    except ValueError:
        return {}  # forbidden here
    for piece in _pieces(file, start, size):
        digest.update(piece)
    return {"Content-MD5": base64.b64encode(digest.digest()).decode()}


def _pieces(file: Any, start: int, size: int) -> Iterator[bytes]:
    file.seek(start)
    while size:
        content = file.read(min(size, _CHUNK_BYTES))
        if not content:
            raise Damaged("it has become shorter")
        size -= len(content)
        yield content
