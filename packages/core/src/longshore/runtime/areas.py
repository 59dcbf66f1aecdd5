"""The folder of a bucket that keeps what a run's tasks have written, until the run has ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from longshore.errors import DigestMismatch, InputMissing, PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.events import Event
from longshore.model.move_events import Moved
from longshore.model.workflow import PoolSpec
from longshore.plugin.areas import Empties, Lends, Request, Upload
from longshore.remote.bringing import entries_of, local_problem
from longshore.remote.digest import digest_file
from longshore.remote.sources import Source, file_of, files_within, listing_of, source_of_listing
from longshore.remote.store import StagingProblem, has_object, object_path, put_file
from longshore.runtime.carrying import carry
from longshore.runtime.stores import Stores, granted

__all__ = ["BucketArea", "areas_of"]

_TIME = timedelta(hours=1)
"""For so long can a request be begun that was signed for a machine."""
_AT_ONCE = 8
_MARK = "about.txt"


class BucketArea:
    """A `longshore.plugin.areas.HomeArea`, whose way home tells events, too. Any thread may use it."""

    def __init__(
        self, url: str, run: str, store: Path, stores: Stores, post: Callable[..., None] | None = None
    ) -> None:
        """``url`` is the pool's; each run has a folder of its own below it. ``post`` takes events, if anybody does."""
        self.url = url
        self._run = run
        self._base = f"{url}/{run}"
        self._store = store
        self._stores = stores
        self._post = post or _deaf
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._there: set[str] = set()
        """What was brought there, as far as this process knows."""
        self._crew = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="longshore-area")

    def to_read(self, sha256: str) -> Request:
        """Give the request for an object; `PeerOutOfReach` when the bucket grants none."""
        return granted(lambda: self._lender().to_read(self._at(sha256), _TIME))

    def to_write(self, sha256: str, size: int) -> Upload:
        """Give the requests that put an object there, none when it is; `PeerOutOfReach` when the bucket grants none."""
        if sha256 in self._there:
            return Upload(url=self._at(sha256), size=size, requests=())
        return granted(lambda: self._lender().to_write(self._at(sha256), size, _TIME))

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """Take what was sent for an object; `PeerOutOfReach` when the bucket does not."""
        if upload.requests or upload.token:
            granted(lambda: self._lender().written(upload, tags))
        self._there.add(upload.url.rpartition("/")[2])

    def take(self, item: Item) -> None:
        """Bring an input there, unless it is; the errors are those of `longshore.plugin.areas.HomeArea.take`."""
        store = str(self._store)
        if item.kind != "folder":
            self._take(file_of(item, store))
            return
        if item.sha256 in self._there:
            return
        listing = listing_of(item, store)
        if listing is None:
            raise InputMissing(f"input {item.path}: the folder {item.sha256} is not here any more")
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            list(crew.map(self._take, files_within(item, listing, store)))
        self._take(source_of_listing(item, listing))

    def prepare(self) -> None:
        """See whether it can be written, before anything is rented for a run that depends on it.

        Raises:
            StagingError: when it cannot.
            PluginError: when there is no store for it.
        """
        mark = self._store / "tmp" / f"{self._run}.{_MARK}"
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text(f"What tasks of run {self._run} have written is kept here until the run has ended.\n")
        except OSError as error:
            raise local_problem(error, str(mark)) from error
        try:
            self._stores.put(mark, f"{self._base}/{_MARK}")
        finally:
            mark.unlink(missing_ok=True)

    def bring(self, artifact: Artifact, *, target: str = "") -> None:
        """Bring an artifact home; return at once, and tell what became of it. ``target`` is the machine that wants it,
        and cannot get it otherwise.
        """
        self._crew.submit(self._bring, artifact, target)

    def fetch(self, artifact: Artifact) -> None:
        """Bring an artifact home; a folder with all that is in it.

        Raises:
            InputMissing: when the bucket does not have it (any more).
            DigestMismatch: when it is not what its digest says.
            DiskFull, StagingError: when it cannot be written here, or not be read there.
        """
        if artifact.kind != "folder":
            self._fetch(artifact.sha256, artifact.path)
            return
        with self._fetched(artifact.sha256, artifact.path) as listing:
            entries = entries_of(listing.read_bytes(), artifact.path)
            wanted = {each.sha256: f"{artifact.path}/{each.path}" for each in entries if each.kind == "f"}
            with ThreadPoolExecutor(_AT_ONCE) as crew:
                list(crew.map(self._fetch, wanted, wanted.values()))

    def obtain(self, artifact: Artifact) -> None:
        """Bring an artifact home for somebody who waits for it, and tell; the errors are those of `fetch`."""
        self.fetch(artifact)
        self._post(self._moved((artifact,)))

    def contents(self) -> set[str]:
        """List the digests of which it has objects.

        Raises:
            StagingError: when the bucket does not say.
        """
        return {each.rpartition("/")[2] for each in self._stores.list(f"{self._base}/*")}

    def clear(self) -> None:
        """Leave nothing of the run there.

        Raises:
            StagingError: when something is left.
        """
        store = self._stores.of(self.url)
        if isinstance(store, Empties):
            store.empty(self._base)

    def close(self) -> None:
        """Tell nothing more; what is on its way is not waited for."""
        self._post = _deaf
        self._crew.shutdown(wait=False, cancel_futures=True)

    def _at(self, sha256: str) -> str:
        return f"{self._base}/{sha256}"

    def _lender(self) -> Lends:
        store = self._stores.of(self.url)
        if not isinstance(store, Lends):
            raise PeerOutOfReach(f"{self.url} grants requests to nobody else")
        return store

    def _bring(self, artifact: Artifact, target: str) -> None:
        def move(artifacts: Iterable[Artifact]) -> None:
            for each in artifacts:
                self.fetch(each)

        carry(move, [(artifact, target)], self.url, moved=self._moved, post=self._tell)

    def _tell(self, *events: Event) -> None:
        self._post(*events)

    def _moved(self, artifacts: tuple[Artifact, ...]) -> Event:
        return Moved(at=datetime.now(UTC), artifacts=artifacts, source=self.url)

    def _take(self, source: Source) -> None:
        with self._turn(source.sha256):
            if source.sha256 in self._there:
                return
            with self._as_file(source) as path:
                try:
                    found, _ = digest_file(str(path))
                except OSError as error:
                    raise InputMissing(f"{source.name}: {path}: {error.strerror}") from error
                if found != source.sha256:
                    raise DigestMismatch(f"{source.name}: {path} has changed since the run looked at it")
                granted(lambda: self._stores.put(path, self._at(source.sha256)))
            self._there.add(source.sha256)

    @contextmanager
    def _as_file(self, source: Source) -> Iterator[Path]:
        if source.path:
            yield Path(source.path)
            return
        place = self._store / "tmp" / f"{source.sha256}.{os.urandom(6).hex()}"  # other runs have this store, too
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.content)
        except OSError as error:
            raise local_problem(error, source.name) from error
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)

    def _fetch(self, sha256: str, path: str) -> None:
        with self._fetched(sha256, path):
            pass

    @contextmanager
    def _fetched(self, sha256: str, path: str) -> Iterator[Path]:
        """Give a file with the bytes of an object for a block, after which it is in the project's store."""
        with self._turn(sha256), self._fetched_alone(sha256, path) as place:
            yield place

    def _turn(self, sha256: str) -> threading.Lock:
        """Give what one thread at a time has that moves an object."""
        with self._lock:
            return self._locks.setdefault(sha256, threading.Lock())

    @contextmanager
    def _fetched_alone(self, sha256: str, path: str) -> Iterator[Path]:
        if has_object(str(self._store), sha256):
            yield Path(object_path(str(self._store), sha256))
            return
        # The same name each time, so that what broke off goes on where it was.
        place = self._store / "tmp" / f"{sha256}.area"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._stores.fetch(self._at(sha256), place)
            found, size = digest_file(str(place))
            if found != sha256:
                raise DigestMismatch(f"{path}: what {self.url} has of it is not what its digest says")
            yield place
            put_file(str(self._store), str(place), sha256, size, move=True)
        except StagingProblem as error:
            raise StagingError(f"{path}: {error}") from error
        except OSError as error:
            raise local_problem(error, path) from error
        finally:
            place.unlink(missing_ok=True)


def areas_of(
    pools: Iterable[PoolSpec], run: str, store: Path, post: Callable[..., None] | None = None
) -> dict[str, BucketArea]:
    """Make the areas of pools, by their URLs; ``store`` is the project's. Nobody is asked for anything yet."""
    urls = dict.fromkeys(pool.store for pool in pools if pool.store)
    stores = Stores()
    return {url: BucketArea(url, run, store, stores, post) for url in urls}


def _deaf(*_: object) -> None:
    return
