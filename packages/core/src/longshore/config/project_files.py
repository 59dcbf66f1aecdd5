"""The project's folder as far as a workflow asks about it. The only part of linking that looks at the disk."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from attrs import define, field

from longshore.config.globs import is_glob

__all__ = ["ProjectFiles"]

# Left out of globs, unless they are named: what Longshore itself puts into the project's folder.
_OURS = frozenset({".longshore", "results"})


@define
class ProjectFiles:
    """Answers what is in a folder, and remembers it, since 100,000 tasks ask for the same few files."""

    folder: Path
    _top: frozenset[str] | None = field(default=None, init=False)
    _known: dict[str, bool] = field(factory=dict, init=False)

    def is_file(self, path: str) -> bool:
        """Say whether a relative path is a regular file of the project; paths that lead out of it are none."""
        known = self._known.get(path)
        if known is None:
            first, _, rest = path.partition("/")
            known = first in self.top and ".." not in rest.split("/") and os.path.isfile(self.folder / path)
            self._known[path] = known
        return known

    def exists(self, path: str) -> bool:
        """Say whether there is a file or folder, or anything that a glob means."""
        if os.path.lexists(self.folder / path):
            return os.path.exists(self.folder / path)
        return is_glob(path) and bool(self.find(path, folders=True))

    @property
    def top(self) -> frozenset[str]:
        """The names in the folder itself."""
        if self._top is None:
            try:
                self._top = frozenset(os.listdir(self.folder))
            except OSError:
                self._top = frozenset()
        return self._top

    def find(self, pattern: str, *, folders: bool = False) -> list[str]:
        """List what a glob means, sorted: regular files, and folders if asked; what Longshore wrote only if named.

        ``**`` goes into subfolders; names that begin with a dot have to be named, as in a shell.
        """
        named = pattern.split("/", 1)[0]
        found = glob.iglob(pattern, root_dir=self.folder, recursive=True)
        return sorted(
            path.rstrip("/")
            for path in found
            if (named in _OURS or path.split("/", 1)[0] not in _OURS)
            and (folders or os.path.isfile(self.folder / path))
        )

    def siblings(self, path: str) -> list[str]:
        """List paths in the folder that a path, perhaps misspelt, should be in."""
        parent = os.path.dirname(path)
        try:
            names = os.listdir(self.folder / parent)
        except OSError:
            return sorted(self.top)
        return sorted(os.path.join(parent, name) for name in names)
