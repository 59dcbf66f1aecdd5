"""Objects of buckets and of the web: what there is, what is known of it, and how it comes into the project's store,
once as long as it stays the same. Where machines get it themselves it need not come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from attrs import evolve, frozen

from longshore.config.problems import Places
from longshore.config.resolve import resolve
from longshore.config.urls import host_of, path_of
from longshore.errors import InputMissing, LongshoreError, PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.names import clean_relative
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.areas import Request
from longshore.remote.digest import digest_file
from longshore.remote.store import StagingProblem, put_file, translate
from longshore.runtime.cache import Cache, Success
from longshore.runtime.stores import Stores

__all__ = ["NotFetched", "Objects", "bucket_of", "public", "resolve_all"]

_log = logging.getLogger(__name__)


class NotFetched(Exception):
    """It would have to be read first, and that is not wanted now."""


@frozen(kw_only=True)
class _Seen:
    """What is known of an object, from the moment when it was first looked at in a run."""

    item: Item
    stamp: str
    here: bool
    """Whether its bytes are in the project's store."""


def resolve_all(
    spec: WorkflowSpec, folder: Path, places: Places | None = None, stores: Stores | None = None
) -> WorkflowSpec:
    """Do what `longshore.config.resolve.resolve` does, with what is in buckets."""
    far = stores or Stores()
    given = () if places is None else (places,)
    return resolve(spec, folder, *given, listing=far.list, peek=far.peek)


class Objects:
    """Knows objects, and brings them into the store of a project. Any thread may ask; each is looked at once in a
    run.
    """

    def __init__(self, store: Path, cache: Cache, *, run: str = "", stores: Stores | None = None) -> None:
        """Fetch for a run, which needs what was fetched until it has ended; without one nothing is fetched."""
        self._store = store
        self._cache = cache
        self._run = run
        self._stores = stores or Stores()
        self._seen: dict[str, _Seen] = {}
        self._lists: dict[str, Sequence[str]] = {}
        self._kept: set[str] = set()
        """Buckets that grant nothing."""
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def matching(self, glob: str) -> Sequence[str]:
        """Give the URLs that a glob means.

        Raises:
            InputMissing: when it means none, or nobody can say.
        """
        with self._turn(glob):
            if glob not in self._lists:
                try:
                    self._lists[glob] = self._stores.list(glob)
                except LongshoreError as error:
                    raise InputMissing(str(error)) from error
            if not self._lists[glob]:
                raise InputMissing(f"no object matches {glob!r}")
            return self._lists[glob]

    def item(self, url: str, *, here: bool = True) -> Item:
        """Give an object as an input, at its path in the bucket. With ``here`` its bytes are in the project's store
        then. Else what nobody has read yet has no digest, if its store lets machines read it.

        Raises:
            InputMissing: when it cannot be had; says why.
            NotFetched: when it has to be read, and there is no run to do that for.
        """
        with self._turn(url), _missing(url):
            seen = self._seen.get(url) or self._looked_at(url)
            if not self._run:
                if not seen.item.sha256:
                    raise NotFetched(f"{url} has not been fetched yet")
            elif not seen.here and (here or not (seen.item.sha256 or self._can_be_read(url))):
                seen = self._fetched(url, seen)
            self._seen[url] = seen
            return seen.item

    def far(self, item: Item) -> bool:
        """Say whether an input is an object that is not in the project's store."""
        seen = self._seen.get(item.address) if item.address else None
        return seen is not None and not seen.here

    def known(self, url: str) -> bool:
        """Say whether somebody has read an object that was looked at."""
        seen = self._seen.get(url)
        return seen is not None and bool(seen.item.sha256)

    def key(self, url: str) -> str:
        """Name the content of an object that was looked at; another name when it has changed, or may have."""
        seen = self._seen.get(url)
        return _identity(url, seen.stamp if seen is not None and seen.stamp else f"{self._run} {datetime.now(UTC)}")

    def to_read(self, url: str) -> Request:
        """Give the request by which a machine reads an object.

        Raises:
            PeerOutOfReach: when nobody can be granted that.
        """
        return self._stores.to_read(url)

    def learn(self, url: str, read: Artifact) -> None:
        """Take note of what a machine has read.

        Raises:
            InputMissing: when the object has changed since it was looked at. Who looks next sees the new one.
        """
        with self._turn(url), _missing(url):
            seen = self._see_it_is_the_same(url, read.sha256)
            if not seen.item.sha256:
                self._seen[url] = self._noted(url, seen, read.sha256, read.size, here=False)

    def _see_it_is_the_same(self, url: str, digest: str) -> _Seen:
        """Compare what was read with what was looked at before, and forget what nobody has read if it is not that."""
        seen = self._seen.get(url)
        changed = seen is None or self._stores.stamp(url) != seen.stamp
        if changed and seen is not None and not seen.item.sha256:
            del self._seen[url]
        if seen is None or changed or seen.item.sha256 not in ("", digest):
            raise InputMissing(
                f"{public(url)} has changed since the run looked at it; run it again to use the new content"
            )
        return seen

    def _turn(self, url: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(url, threading.Lock())

    def _looked_at(self, url: str) -> _Seen:
        try:
            path = str(clean_relative(path_of(url).partition("?")[0] if url.startswith("http") else path_of(url)))
        except ValueError as error:
            raise InputMissing(f"{url} has no name that a file can have: {error}") from error
        stamp = self._stores.stamp(url)
        unread = Item(path=path, sha256="", size=0, address=url)
        identity = _identity(url, stamp)
        hit = self._cache.look_up([identity], run=self._run).get(identity) if stamp else None
        known = hit or (self._cache.recall(identity) if stamp else None)
        if known is None:
            return _Seen(item=unread, stamp=stamp, here=False)
        [artifact] = known.outputs
        return _Seen(item=evolve(unread, sha256=artifact.sha256, size=artifact.size), stamp=stamp, here=hit is not None)

    def _can_be_read(self, url: str) -> bool:
        """Say whether machines can be let read an object."""
        try:
            self._stores.to_read(url)
        except PeerOutOfReach as error:
            bucket = bucket_of(url)
            if bucket not in self._kept:
                self._kept.add(bucket)
                _log.info("what is in %s comes here, as no machine can be let read it: %s", bucket, error)
            return False
        return True

    def _fetched(self, url: str, seen: _Seen) -> _Seen:
        # The same name each time, so that what broke off in an earlier run goes on where it was.
        place = self._store / "tmp" / f"{sha256(url.encode()).hexdigest()}.object"
        self._stores.fetch(url, place)
        digest, size = digest_file(str(place))
        try:
            if url in self._seen:
                self._see_it_is_the_same(url, digest)
            put_file(str(self._store), str(place), digest, size, move=True)
        finally:
            place.unlink(missing_ok=True)
        return self._noted(url, seen, digest, size, here=True)

    def _noted(self, url: str, seen: _Seen, digest: str, size: int, *, here: bool) -> _Seen:
        """Remember an object like what a task has made: so it stays while the run needs it, counts for the cache's cap,
        and goes when nobody has used it for long.
        """
        artifact = Artifact(path=seen.item.path, sha256=digest, size=size)
        identity = _identity(url, seen.stamp or digest)
        success = Success(
            identity=identity, task=url, run=self._run, at=datetime.now(UTC), parts="{}", outputs=(artifact,)
        )
        if here:
            self._cache.remember([success])
        else:
            self._cache.remember_elsewhere(success)
        return _Seen(item=evolve(seen.item, sha256=digest, size=size), stamp=seen.stamp, here=here)


@contextmanager
def _missing(url: str) -> Iterator[None]:
    """Let whatever keeps an object from being had be that input's lack."""
    try:
        yield
    except StagingError as error:
        raise InputMissing(str(error)) from error
    except StagingProblem as error:
        raise InputMissing(f"{url}: {error}") from error
    except OSError as error:
        raise InputMissing(str(translate(error, f"{url}: it cannot be written here"))) from error


def public(url: str) -> str:
    """Name an object without what may be a key: a user's name and password, and what is asked of a web server."""
    host = host_of(url)
    path = url[len(host) :]
    return bucket_of(url) + (path.partition("?")[0] if url.startswith("http") else path)


def bucket_of(url: str) -> str:
    """Name the bucket, or the web server, that has an object."""
    scheme, _, host = host_of(url).partition("://")
    return f"{scheme}://{host.partition('?')[0].rpartition('@')[2]}"


def _identity(url: str, stamp: str) -> str:
    return sha256(f"object\0{url}\0{stamp}".encode()).hexdigest()
