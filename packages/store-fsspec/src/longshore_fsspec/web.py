"""A store for what web servers have."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from longshore.errors import PeerOutOfReach, StagingError
from longshore.plugin.areas import Request
from longshore_fsspec.fetching import About, Fetching

__all__ = ["Web"]

_SECONDS = 60.0
_PIECE_BYTES = 1 << 20
_MEANT = "%/:?#[]@!$&'()*+,;="
"""What is left as it is in a URL; spaces and letters that are not ASCII are not."""
_GONE = (404, 410)
_NO_HEAD = (400, 403, 405, 501)
"""What servers say that do not answer such a question, though they would give the object."""


class Web(Fetching):
    """A `longshore.plugin.Store` for web servers: they are read only, and tell of no other pages."""

    def put(self, path: Path, url: str) -> None:
        """Refuse."""
        raise StagingError(f"{url}: {path.name} cannot be written to a web server; use a bucket")

    def to_read(self, url: str, time: timedelta) -> Request:
        """Give what anybody may ask; a name and a password in the URL are no part of it.

        Raises:
            PeerOutOfReach: when there are such.
        """
        if "@" in urllib.parse.urlsplit(url).netloc:
            raise PeerOutOfReach("its URL has a name or a password in it")
        return Request(url=_meant(url))

    def list(self, glob: str) -> Sequence[str]:
        """Refuse."""
        raise StagingError(f"{glob}: a web server does not say what it has; name the objects, one by one")

    def _about(self, url: str) -> About:
        try:
            with _answer(url, "HEAD") as told:
                return _told(told)
        except StagingError as error:
            cause = error.__cause__
            if not (isinstance(cause, urllib.error.HTTPError) and cause.code in _NO_HEAD):
                raise
        with _answer(url, "GET") as told:
            return _told(told)

    def _begin(self, url: str, most: int) -> bytes:
        with _answer(url, "GET", {"Range": f"bytes=0-{most - 1}"}) as told:
            return told.read(most)

    def _read(self, url: str, about: About, part: Path) -> None:
        done = part.stat().st_size
        if about.size is not None and done >= about.size and about.stamp:
            return
        # Whoever does not know parts, or has something else by now, gives all of it.
        strong = about.stamp.startswith('"')
        headers = {"Range": f"bytes={done}-", "If-Range": about.stamp} if done and strong else {}
        with _answer(url, "GET", headers) as told, part.open("r+b") as file:
            if told.status == http.client.PARTIAL_CONTENT:
                file.seek(done)
            file.truncate()
            while piece := told.read(_PIECE_BYTES):
                file.write(piece)
            if about.size is not None and file.tell() < about.size:
                raise ConnectionError("the server hung up")


def _told(told: http.client.HTTPResponse) -> About:
    size = told.headers.get("Content-Length", "")
    tag = told.headers.get("ETag", "")
    stamp = tag if tag and not tag.startswith("W/") else told.headers.get("Last-Modified", "")
    return About(size=int(size) if size.isdigit() else None, stamp=stamp)


def _meant(url: str) -> str:
    return urllib.parse.quote(url, safe=_MEANT)


@contextmanager
def _answer(url: str, method: str, headers: dict[str, str] | None = None) -> Iterator[http.client.HTTPResponse]:
    # Compressed on its way it would have another size, and no parts.
    request = urllib.request.Request(  # noqa: S310  http and https come here, and no others
        _meant(url), method=method, headers={"Accept-Encoding": "identity", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as told:  # noqa: S310  as above
            yield told
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _GONE:
                raise FileNotFoundError(url) from error
            raise StagingError(f"{url}: the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise ConnectionError(f"nobody answers: {error.reason}") from error
