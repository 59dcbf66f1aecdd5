"""Folders that were laid into a workdir, and are as they were: the next attempt that reads the same is given them.

To copy ten thousand small files takes longer than many a task. What a folder looks like when it has just been laid is
noted, by the inodes and times of its files. When its attempt is over it is kept, and when it still looks the same, the
next attempt needs no copy. What a task has touched goes.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import itertools
import os
import stat

from longshore.remote.digest import Entry, FolderDigest, NotStorable, digest_file, digest_found
from longshore.remote.places import spare_name
from longshore.remote.walking import walk_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Dict, List, Optional

__all__ = ["Laid", "SpareFolders"]

_FEW_FILES = 16
"""To lay so many takes no longer than to look at them."""
_MOST_BYTES = 512 << 20
"""What is spare takes no more than this of the machine's disk."""


class Laid:
    """A folder in a workdir, and what it looked like before its attempt began."""

    __slots__ = ("_look", "_settled_ns", "path", "sha256", "size")

    def __init__(self, path: str, sha256: str, entries: List[Entry], statuses: Dict[str, os.stat_result]) -> None:
        """Note the look of a folder.

        Args:
            path: where it is. It was changed after all that is in it, or in the same step of the file system's clock.
            sha256: its digest.
            entries: what is in it, in the order of its listing.
            statuses: of its files, by their paths in it.

        Raises:
            OSError: when something cannot be read.
        """
        self.path = path
        self.sha256 = sha256
        self._settled_ns = os.stat(path).st_ctime_ns
        look = FolderDigest([self._seen(each, statuses[each.path]) if each.kind == "f" else each for each in entries])
        self._look = look.sha256
        self.size = look.size

    def _seen(self, file: Entry, status: os.stat_result) -> Entry:
        sign, size = self._sign(os.path.join(self.path, file.path), status)
        return Entry("f", file.path, mode=file.mode, size=size, sha256=sign)

    def _sign(self, place: str, status: os.stat_result) -> tuple[str, int]:
        """Give what changes when a file does: its inode and times. In the step of the clock in which the folder was
        laid it could change without another time; what is so young is known by its digest and how many names it has.
        """
        if status.st_ctime_ns >= self._settled_ns:
            sha256, size = digest_file(place)
            return "%s.%d.%d" % (sha256, status.st_ino, status.st_nlink), size
        sign = "%d.%d.%d.%d" % (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        return sign, status.st_size

    def is_unchanged(self) -> bool:
        """Say whether all in it looks the same: names, modes, links, and files."""
        try:
            found = digest_found(walk_folder(self.path), self._sign)
        except (OSError, NotStorable):
            return False
        return found.sha256 == self._look


class SpareFolders:
    """Those that no attempt has just now. Used by several threads."""

    def __init__(self, folder: str, most_bytes: int = _MOST_BYTES) -> None:
        """Keep them in the folder of the workdirs, and no more than so many bytes of them."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._numbers = itertools.count()
        self._spare: List[Laid] = []
        self._useless: List[str] = []

    def give(self, sha256: str, target: str) -> Optional[Laid]:
        """Give the folder of this digest to an attempt, if there is one that is unchanged."""
        for laid in list(self._spare):
            # From here on nobody else can reach it, neither by the list nor by its path; what was done before is seen.
            if laid.sha256 == sha256 and self._claim(laid) and _moved(laid, target):
                if laid.is_unchanged():
                    return laid
                if _moved(laid, self._fresh()):
                    self._useless.append(laid.path)
        return None

    def note(
        self, target: str, sha256: str, entries: List[Entry], statuses: Dict[str, os.stat_result]
    ) -> Optional[Laid]:
        """Note the look of a folder that was laid for an attempt just now, if that is worth while; see `Laid`."""
        if len(statuses) <= _FEW_FILES or sum(status.st_size for status in statuses.values()) > self._most_bytes:
            return None
        return Laid(target, sha256, entries, statuses)

    def take(self, laid: Laid, workdir: str) -> None:
        """Take back what was given or noted, if it is still where it was; no process of its attempt is left."""
        if not (_leads_to(workdir, laid.path) and _moved(laid, self._fresh())):
            return  # it goes with the workdir
        self._spare.append(laid)
        spare = list(self._spare)
        size = sum(each.size for each in spare)
        for oldest in spare:
            if size > self._most_bytes and self._claim(oldest):
                size -= oldest.size
                self._useless.append(oldest.path)

    def forget(self, digests: Collection[str]) -> None:
        """Keep nothing of these digests: nobody needs them any more."""
        gone = [laid for laid in list(self._spare) if laid.sha256 in digests and self._claim(laid)]
        self._useless.extend([laid.path for laid in gone])

    def useless(self) -> List[str]:
        """Give the folders that are to be removed, each once."""
        useless = []
        while self._useless:
            useless.append(self._useless.pop())
        return useless

    def close(self) -> List[str]:
        """Give all folders, which are to be removed."""
        return self.useless() + [laid.path for laid in self._spare]

    def _claim(self, laid: Laid) -> bool:
        try:
            self._spare.remove(laid)
        except ValueError:
            return False  # another thread was faster
        return True

    def _fresh(self) -> str:
        return os.path.join(self._folder, spare_name("laid-%d" % next(self._numbers)))


def _moved(laid: Laid, place: str) -> bool:
    try:
        os.rename(laid.path, place)
    except OSError:
        return False
    laid.path = place
    return True


def _leads_to(workdir: str, path: str) -> bool:
    """Say whether a folder is still below a workdir: what a command's links lead to is not ours."""
    while True:
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                return False
        except OSError:
            return False
        if path == workdir:
            return True
        path = os.path.dirname(path)
