"""Files that attempts print into, which cost nothing when nothing is printed.

Most short commands print nothing. They are given spare files, which the next one uses again when they are still empty:
to make a file takes longer than all else that the supervisor does for a command. A file that has something in it gets
the attempt's name, ``<logs>/<task>.<number>.out`` or ``.err``, at the latest when the attempt ends.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    Left = Tuple[Optional["Log"], Optional["Log"]]

__all__ = ["Log", "LogShelf", "Logs"]

_TAIL_BYTES = 2048
_TAIL_LINES = 20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Log:
    """One open file."""

    __slots__ = ("handle", "path", "spare_path")

    def __init__(self, path: str) -> None:
        self.handle = os.open(path, _FLAGS, 0o666)
        self.path = path
        self.spare_path = path

    @property
    def size(self) -> int:
        """How much has been printed, in bytes."""
        return os.fstat(self.handle).st_size

    def rename(self, path: str) -> None:
        """Give it another name. Those who print into it notice nothing."""
        if path != self.path:
            os.rename(self.path, path)
            self.path = path

    def remove(self) -> None:
        """Remove it."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        os.close(self.handle)


class Logs:
    """Stdout and stderr of an attempt."""

    __slots__ = ("err", "out")

    def __init__(self, out: Log, err: Log) -> None:
        self.out = out
        self.err = err

    @property
    def handles(self) -> tuple[int, int]:
        """Both files, open."""
        return self.out.handle, self.err.handle

    def take_name(self, stem: str) -> None:
        """Give both an attempt's name, so that they can be found and followed.

        Raises:
            OSError: when that cannot be done.
        """
        self.out.rename(stem + ".out")
        self.err.rename(stem + ".err")

    def tail(self) -> str:
        """Give the end of stderr: at most 20 lines and 2 kB, as text."""
        size = self.err.size
        if not size:
            return ""
        start = max(0, size - _TAIL_BYTES)
        text = os.pread(self.err.handle, _TAIL_BYTES, start).decode("utf-8", "replace")
        lines = text.splitlines()
        if start and len(lines) > 1:
            del lines[0]  # it is cut somewhere in the middle
        return "\n".join(lines[-_TAIL_LINES:])


class LogShelf:
    """Keeps spare files for the next attempt."""

    def __init__(self, owner: str) -> None:
        """Prepare; ``owner`` tells the spare files of several supervisors apart that share a folder."""
        self._prefix = ".spare-%s-" % owner
        self.folder = ""
        self._spare: List[Log] = []
        self._count = 0

    def use(self, folder: str) -> None:
        """Say where logs go from now on."""
        if folder != self.folder:
            self.close()
            os.makedirs(folder, exist_ok=True)
            self.folder = folder
            for name in os.listdir(folder):
                if name.startswith(self._prefix):  # a supervisor that was killed has left it
                    os.unlink(os.path.join(folder, name))

    def stem(self, name: str) -> str:
        """Give the path of an attempt's logs without ``.out`` or ``.err``."""
        return "%s/%s" % (self.folder, name)

    def take(self) -> Log:
        """Give an empty file.

        Raises:
            OSError: when none can be made.
        """
        if self._spare:
            return self._spare.pop()
        self._count += 1
        return Log("%s/%s%d-%d" % (self.folder, self._prefix, os.getpid(), self._count))

    def part(self, logs: Logs, name: str, *, reusable: bool = True) -> Left:
        """Keep what has something in it under the attempt's name; give the others, which are nobody's then.

        Args:
            logs: the files, which nobody of the attempt writes to any more.
            name: the attempt's name.
            reusable: False when somebody might still write to them; then none is given.
        """
        stem = self.stem(name)
        return (
            _part(logs.out, stem + ".out", reusable=reusable),
            _part(logs.err, stem + ".err", reusable=reusable),
        )

    def give_back(self, left: Left) -> None:
        """Take files back that are nobody's."""
        self._spare.extend([log for log in left if log is not None])

    def close(self) -> None:
        """Remove what is spare."""
        while self._spare:
            self._spare.pop().remove()


def _part(log: Log, path: str, *, reusable: bool) -> Log | None:
    try:
        if log.size:
            log.rename(path)
        elif reusable:
            log.rename(log.spare_path)
            return log
        else:
            os.unlink(log.path)
    except OSError:
        pass  # somebody has removed it, or the disk is full; that harms its readers only
    os.close(log.handle)
    return None
