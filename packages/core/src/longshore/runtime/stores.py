"""The stores of plugins, by URL: what a run, its areas and its results ask of buckets and of the web."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from longshore.errors import LongshoreError, PeerOutOfReach, PluginBroken, StagingError
from longshore.plugin.areas import Empties, Grants, Request
from longshore.plugin.stores import Peeks, Stamps, Store
from longshore.runtime.registry import Registry

__all__ = ["Stores", "granted"]

_log = logging.getLogger(__name__)

_TIME = timedelta(hours=6)
"""For so long can a request for an input be begun: one that is large, and breaks off, is begun again."""

_Given = TypeVar("_Given")


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
        with _answered(glob):
            return self.of(glob).list(glob)

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
        with _answered(url):
            self.of(url).put(path, url)

    def abandon(self, url: str, begun_before: datetime) -> None:
        """Remove what uploads have left at or below a URL that broke off and will not be taken up.

        Raises:
            PluginError: as `of`.
            StagingError: when that cannot be.
        """
        store = self.of(url)
        with _answered(url):
            if isinstance(store, Empties):
                store.abandon(url, begun_before)

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here.

        Raises:
            PluginError: as `of`.
            StagingError: when it cannot be had.
        """
        with _answered(url):
            self.of(url).fetch(url, into)

    def stamp(self, url: str) -> str:
        """Give what changes whenever an object does; empty when its store cannot tell.

        Raises:
            PluginError: as `of`.
            StagingError: when it cannot be had.
        """
        store = self.of(url)
        with _answered(url):
            return store.stamp(url) if isinstance(store, Stamps) else ""

    def to_read(self, url: str) -> Request:
        """Give the request by which somebody without rights reads an object.

        Raises:
            PeerOutOfReach: when nobody can be granted that.
        """
        return granted(lambda: self._grants(url).to_read(url, _TIME))

    def _grants(self, url: str) -> Grants:
        store = self.of(url)
        if not isinstance(store, Grants):
            raise PeerOutOfReach(f"{url.partition('?')[0]} grants requests to nobody else")
        return store

    def peek(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object.

        Raises:
            PluginError: as `of`.
            StagingError: when it cannot be had.
        """
        store = self.of(url)
        if not isinstance(store, Peeks):
            raise StagingError(f"{url}: its store reads no object in part")
        with _answered(url):
            return store.peek(url, most)


@contextmanager
def _answered(url: str) -> Iterator[None]:
    """Ask a store within a block; whoever wrote it is told when it fails."""
    try:
        yield
    except LongshoreError:
        raise
    except Exception as error:
        raise PluginBroken(f"the store for {url} failed: {type(error).__name__}: {error}") from error


def granted(ask: Callable[[], _Given]) -> _Given:
    """Ask a store for what it grants; whatever prevents that, data can take another way.

    Raises:
        PeerOutOfReach: when it does not.
    """
    try:
        return ask()
    except PeerOutOfReach:
        raise
    except LongshoreError as error:
        raise PeerOutOfReach(str(error)) from error
    except Exception as error:  # noqa: BLE001  a plugin's own; what it says may have a signature in it
        _log.debug("a store has failed", exc_info=error)
        raise PeerOutOfReach(f"its store failed: {type(error).__name__}") from None
