"""Objects of buckets and of the web: what there is, and how it comes into the project's store, once as long as it stays
the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from longshore.config.problems import Places
from longshore.config.resolve import resolve
from longshore.config.urls import path_of
from longshore.errors import InputMissing, LongshoreError, PluginBroken, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.names import clean_relative
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.areas import Empties
from longshore.plugin.stores import Peeks, Stamps, Store
from longshore.remote.digest import digest_file
from longshore.remote.store import StagingProblem, put_file, translate
from longshore.runtime.cache import Cache, Success
from longshore.runtime.registry import Registry

__all__ = ["NotFetched", "Objects", "Stores", "resolve_all"]

_log = logging.getLogger(__name__)


class NotFetched(Exception):
    """It would have to be fetched first, and that is not wanted now."""


class Stores:
    """The stores for URLs, each made when it is asked for first. Any thread may ask."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._made: dict[str, Store] = {}
        self._lock = threading.Lock()

    def of(self, url: str) -> Store:
        """Give the store for a URL.

        Raises:
            PluginError: when there is none, or it is broken.
        """
        scheme = url.partition("://")[0].lower()
        with self._lock:
            if scheme not in self._made:
                self._registry = self._registry or Registry()
                record = self._registry.store(scheme)
                options = self._registry.options(record.config, {}, f"stores.{record.name}")
                self._made[scheme] = self._registry.make_store(record, options)
            return self._made[scheme]

    def list(self, glob: str) -> Sequence[str]:
        """Give the URLs that match, sorted.

        Raises:
            PluginError: as `of`.
            StagingError: when nobody can say.
        """
        try:
            return self.of(glob).list(glob)
        except LongshoreError:
            raise
        except Exception as error:
            raise _broken(glob, error) from error

    def put(self, path: Path, url: str) -> None:
        """Bring a file there, or all files of a folder; links are not followed, since buckets have none.

        Raises:
            PluginError: as `of`.
            StagingError: when that cannot be.
        """
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for each in files:
            if not each.is_symlink():
                self._put(each, url if each == path else f"{url}/{each.relative_to(path).as_posix()}")

    def _put(self, path: Path, url: str) -> None:
        try:
            self.of(url).put(path, url)
        except LongshoreError:
            raise
        except Exception as error:
            raise _broken(url, error) from error

    def abandon(self, url: str, begun_before: datetime) -> None:
        """Remove what uploads have left at or below a URL that broke off and will not be taken up.

        Raises:
            PluginError: as `of`.
            StagingError: when that cannot be.
        """
        store = self.of(url)
        try:
            if isinstance(store, Empties):
                store.abandon(url, begun_before)
        except LongshoreError:
            raise
        except Exception as error:
            raise _broken(url, error) from error

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here.

        Raises:
            PluginError: as `of`.
            StagingError: when it cannot be had.
        """
        try:
            self.of(url).fetch(url, into)
        except LongshoreError:
            raise
        except Exception as error:
            raise _broken(url, error) from error

    def peek(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object.

        Raises:
            PluginError: as `of`.
            StagingError: when it cannot be had.
        """
        store = self.of(url)
        if not isinstance(store, Peeks):
            raise StagingError(f"{url}: its store reads no object in part")
        try:
            return store.peek(url, most)
        except LongshoreError:
            raise
        except Exception as error:
            raise _broken(url, error) from error


def resolve_all(
    spec: WorkflowSpec, folder: Path, places: Places | None = None, stores: Stores | None = None
) -> WorkflowSpec:
    """Do what `longshore.config.resolve.resolve` does, with what is in buckets."""
    far = stores or Stores()
    given = () if places is None else (places,)
    return resolve(spec, folder, *given, listing=far.list, peek=far.peek)


class Objects:
    """Brings objects into the store of a project. Any thread may ask; each is looked at once in a run."""

    def __init__(self, store: Path, cache: Cache, *, run: str = "", stores: Stores | None = None) -> None:
        """Fetch for a run, which needs what was fetched until it has ended; without one nothing is fetched."""
        self._store = store
        self._cache = cache
        self._run = run
        self._stores = stores or Stores()
        self._items: dict[str, Item] = {}
        self._lists: dict[str, Sequence[str]] = {}
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

    def item(self, url: str) -> Item:
        """Give an object as an input, at its path in the bucket.

        Raises:
            InputMissing: when it cannot be had; says why.
            NotFetched: when it is not here, and there is no run to fetch it for.
        """
        with self._turn(url):
            known = self._items.get(url)
            if known is None:
                try:
                    known = self._items[url] = self._looked_up(url)
                except StagingError as error:
                    raise InputMissing(str(error)) from error
                except StagingProblem as error:
                    raise InputMissing(f"{url}: {error}") from error
                except OSError as error:
                    raise InputMissing(str(translate(error, f"{url}: it cannot be written here"))) from error
            return known

    def _turn(self, url: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(url, threading.Lock())

    def _looked_up(self, url: str) -> Item:
        try:
            path = str(clean_relative(path_of(url).partition("?")[0] if url.startswith("http") else path_of(url)))
        except ValueError as error:
            raise InputMissing(f"{url} has no name that a file can have: {error}") from error
        store = self._stores.of(url)
        try:
            stamp = store.stamp(url) if isinstance(store, Stamps) else ""
            identity = _identity(url, stamp)
            known = self._cache.look_up([identity], run=self._run) if stamp else {}
            artifact = known[identity].outputs[0] if identity in known else self._fetched(url, store, stamp, path)
        except (LongshoreError, StagingProblem, OSError, NotFetched):
            raise
        except Exception as error:
            raise _broken(url, error) from error
        return Item(path=path, sha256=artifact.sha256, size=artifact.size, address=url)

    def _fetched(self, url: str, store: Store, stamp: str, path: str) -> Artifact:
        if not self._run:
            raise NotFetched(f"{url} has not been fetched yet")
        # The same name each time, so that what broke off in an earlier run goes on where it was.
        place = self._store / "tmp" / f"{sha256(url.encode()).hexdigest()}.object"
        store.fetch(url, place)
        digest, size = digest_file(str(place))
        put_file(str(self._store), str(place), digest, size, move=True)
        place.unlink(missing_ok=True)
        artifact = Artifact(path=path, sha256=digest, size=size)
        # What was fetched is remembered like what a task has made: so it stays while the run needs it, counts for the
        # cache's cap, and goes when nobody has used it for long.
        identity = _identity(url, stamp or digest)
        success = Success(
            identity=identity, task=url, run=self._run, at=datetime.now(UTC), parts="{}", outputs=(artifact,)
        )
        self._cache.remember([success])
        return artifact


def _identity(url: str, stamp: str) -> str:
    return sha256(f"object\0{url}\0{stamp}".encode()).hexdigest()


def _broken(url: str, error: Exception) -> PluginBroken:
    return PluginBroken(f"the store for {url} failed: {type(error).__name__}: {error}")
