"""Where attempts run: folders that cost nothing when nobody needs them; and their scripts.

Most short commands write no file into their working folder. They run in a spare one, which the next one uses again when
it is found as it was. A command that has inputs, outputs or secrets, or that failed, has a folder of its own:
``<folder>/work/<task>.<number>``.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

from longshore.remote.store import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

__all__ = ["Blobs", "Workdirs", "spare_name"]

_FEW = 16


def spare_name(name: str) -> str:
    """Give a name for a folder that has nobody's name: it tells which supervisor has it."""
    return ".spare-%d-%s" % (os.getpid(), name)


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
        own = spare_name("")
        names = [name for name in os.listdir(self._folder) if name.startswith(".spare-") and not name.startswith(own)]
        return [os.path.join(self._folder, name) for name in names]

    def own(self, name: str) -> str:
        """Give the folder of an attempt, empty.

        Raises:
            OSError: when it cannot be made.
        """
        path = "%s/%s" % (self._folder, name)
        spare = self.take()
        try:
            os.rename(spare, path)
        except OSError:
            remove_tree(path)  # from a start that a crash cut short
            os.rename(spare, path)
        return path

    def take(self) -> str:
        """Give an empty folder that has nobody's name.

        Raises:
            OSError: when it cannot be made.
        """
        if self._spare:
            return self._spare.pop()
        path = self._fresh()
        os.mkdir(path)
        self._mode = os.stat(path).st_mode
        return path

    def _fresh(self) -> str:
        self._count += 1
        return "%s/%s" % (self._folder, spare_name(str(self._count)))

    def give_back(self, path: str, *, own: bool) -> bool:
        """Take a folder back if it can be used again; False when it cannot, and the caller must see to it.

        Args:
            path: the folder, which nobody needs.
            own: whether it has an attempt's name. Then the few files that may be in it are removed first.
        """
        try:
            if os.lstat(path).st_mode != self._mode:
                return False
            names = os.listdir(path)
            if names and not (own and len(names) <= _FEW):
                return False
            for name in names:
                os.unlink(os.path.join(path, name))
            if own:
                path, named = self._fresh(), path
                os.rename(named, path)
        except OSError:
            return not os.path.lexists(path)  # the command has removed it, or has put folders into it
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
