"""Where attempts run and where they print: folders and log files that cost nothing when they are not needed.

Most short commands write no file into their working folder and print nothing. They run in a spare folder, and print
into spare log files, that the next one uses again when it finds them untouched. As soon as one has something in it, it
gets the attempt's own name and is not spare any more.

Names, all deterministic: ``<folder>/work/<task>.<number>`` and ``<logs>/<task>.<number>.out`` and ``.err``.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

from longshore.remote.store import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

__all__ = ["Blobs", "LogShelf", "Logs", "Workdirs"]

_TAIL_BYTES = 2048
_TAIL_LINES = 20
_LOG_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Logs:
    """Two open files for stdout and stderr; spare until `take_name`."""

    __slots__ = ("err", "named", "out", "paths")

    def __init__(self, stem: str) -> None:
        self.paths = (stem + ".out", stem + ".err")
        self.out = os.open(self.paths[0], _LOG_FLAGS, 0o666)
        try:
            self.err = os.open(self.paths[1], _LOG_FLAGS, 0o666)
        except BaseException:
            os.close(self.out)
            raise
        self.named = False

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes in stdout and stderr."""
        return os.fstat(self.out).st_size, os.fstat(self.err).st_size

    def take_name(self, stem: str) -> None:
        """Give the files an attempt's name, so that they can be found. Those who print into them notice nothing."""
        paths = (stem + ".out", stem + ".err")
        os.rename(self.paths[0], paths[0])
        os.rename(self.paths[1], paths[1])
        self.paths = paths
        self.named = True

    def tail(self) -> str:
        """Give the end of stderr: at most 20 lines and 2 kB, as text."""
        size = os.fstat(self.err).st_size
        if not size:
            return ""
        start = max(0, size - _TAIL_BYTES)
        text = os.pread(self.err, _TAIL_BYTES, start).decode("utf-8", "replace")
        lines = text.splitlines()
        if start and len(lines) > 1:
            del lines[0]  # it is cut somewhere in the middle
        return "\n".join(lines[-_TAIL_LINES:])

    def close(self) -> None:
        """Close both; the files stay."""
        os.close(self.out)
        os.close(self.err)


class LogShelf:
    """Keeps spare logs for the next attempt."""

    def __init__(self, owner: str) -> None:
        """Prepare; ``owner`` tells the spare logs of several supervisors apart that share a folder."""
        self._prefix = ".spare-%s-" % owner
        self._folder = ""
        self._spare: List[Logs] = []
        self._count = 0

    def use(self, folder: str) -> None:
        """Say where logs go from now on."""
        if folder != self._folder:
            self.close()
            os.makedirs(folder, exist_ok=True)
            self._folder = folder
            for name in os.listdir(folder):
                if name.startswith(self._prefix):  # a supervisor that was killed has left it
                    os.unlink(os.path.join(folder, name))

    def stem(self, name: str) -> str:
        """Give the path of an attempt's logs without ``.out`` or ``.err``."""
        return "%s/%s" % (self._folder, name)

    def take(self) -> Logs:
        """Give empty log files."""
        if self._spare:
            return self._spare.pop()
        self._count += 1
        return Logs("%s/%s%d-%d" % (self._folder, self._prefix, os.getpid(), self._count))

    def part(self, logs: Logs, name: str, *, reusable: bool = True) -> bool:
        """Keep what is not empty under the attempt's name; say whether the logs are still empty, open and nobody's.

        Args:
            logs: the files, which nobody of the attempt writes to any more.
            name: the attempt's name.
            reusable: False when somebody might still write to them.
        """
        out, err = logs.sizes
        if not (out or err or logs.named) and reusable:
            return True
        try:
            if not logs.named:
                logs.take_name(self.stem(name))
            for size, path in zip((out, err), logs.paths):
                if not size:
                    os.unlink(path)
        except OSError:
            pass  # somebody has removed the logs, or the disk is full; that harms their readers only
        logs.close()
        return False

    def give_back(self, logs: Logs) -> None:
        """Take logs back that are still empty, open and nobody's."""
        self._spare.append(logs)

    def drop(self, logs: Logs) -> None:
        """Remove logs that belong to no attempt."""
        for path in logs.paths:
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
        logs.close()

    def close(self) -> None:
        """Remove what is spare."""
        while self._spare:
            self.drop(self._spare.pop())


class Workdirs:
    """Keeps spare folders, and makes those that have an attempt's own name."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._spare: List[str] = []
        self._count = 0
        self._mode = 0
        os.makedirs(folder, exist_ok=True)

    def stale(self) -> List[str]:
        """Give the spare folders of supervisors before us."""
        own = ".spare-%d-" % os.getpid()
        names = [name for name in os.listdir(self._folder) if name.startswith(".spare-") and not name.startswith(own)]
        return [os.path.join(self._folder, name) for name in names]

    def own(self, name: str) -> str:
        """Make the folder of an attempt, empty."""
        path = "%s/%s" % (self._folder, name)
        try:
            os.mkdir(path)
        except FileExistsError:
            remove_tree(path)  # from a start that a crash cut short
            os.mkdir(path)
        return path

    def take(self) -> str:
        """Give an empty folder that has nobody's name."""
        if self._spare:
            return self._spare.pop()
        self._count += 1
        path = "%s/.spare-%d-%d" % (self._folder, os.getpid(), self._count)
        os.mkdir(path)
        self._mode = os.stat(path).st_mode
        return path

    def give_back(self, path: str) -> bool:
        """Take a spare folder back if it is as it was; False when it is not, and the caller must see to it."""
        try:
            if os.stat(path).st_mode != self._mode or os.listdir(path):
                return False
        except OSError:
            return not os.path.lexists(path)  # the command has removed it
        self._spare.append(path)
        return True

    def keep(self, path: str, name: str) -> str:
        """Give a spare folder an attempt's name for good; give its path, or nothing when it is gone."""
        kept = "%s/%s" % (self._folder, name)
        if path == kept:
            return kept if os.path.isdir(kept) else ""
        try:
            if os.path.lexists(kept):
                remove_tree(kept)
            os.rename(path, kept)
        except OSError:
            return path if os.path.isdir(path) else ""
        return kept

    def close(self) -> None:
        """Remove what is spare."""
        for path in self._spare:
            try:
                os.rmdir(path)
            except OSError:
                continue
        self._spare.clear()


class Blobs:
    """Scripts and pickles by their digests: one file each, written when it is needed first."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._unwritten: dict[str, bytes] = {}

    def take(self, sha256: str, content: bytes) -> None:
        """Take one; it may be there already.

        Raises:
            ValueError: when that is no digest.
        """
        if not sha256.isalnum():
            raise ValueError("%r is no digest" % sha256)
        if not os.path.exists(self._place(sha256)):
            self._unwritten[sha256] = content

    def path(self, sha256: str) -> str:
        """Give the file.

        Raises:
            OSError: when it cannot be written.
        """
        path = self._place(sha256)
        content = self._unwritten.get(sha256)
        if content is not None:
            os.makedirs(self._folder, exist_ok=True)
            with open(path + ".new", "wb") as file:
                file.write(content)
            os.rename(path + ".new", path)
            del self._unwritten[sha256]
        return path

    def _place(self, sha256: str) -> str:
        return "%s/%s" % (self._folder, sha256)
