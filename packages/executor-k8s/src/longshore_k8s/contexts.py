"""What an image is built of: a copy of its context as it is now, without what ignore files leave out."""

from __future__ import annotations

import hashlib
import posixpath
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from longshore.errors import EnvironmentBuildError
from longshore.remote.digest import NotStorable, digest_folder
from longshore.remote.walking import walk_input
from longshore_k8s.config import ImageBuild

__all__ = ["Context", "DockerIgnore", "frozen_context"]

_IGNORE_FILE = ".dockerignore"
_OURS = (".longshore", "results")
"""What Longshore itself keeps in a project changes with each run."""
_DIGITS = 32


@frozen(kw_only=True)
class Context:
    """A folder that nobody changes, with exactly what goes into an image."""

    folder: Path
    dockerfile: str
    tag: str
    """Follows from the content alone."""


@contextmanager
def frozen_context(build: ImageBuild, project: Path, aside: Path) -> Iterator[Context]:
    """Copy what an image is built of, so that the tag says what was built; the copy goes at the end of the block.

    What git's rules leave out of an input of a task (`.longshoreignore`, else `.gitignore`) is left out here, and what
    `.dockerignore` does.

    Raises:
        EnvironmentBuildError: when there is no such folder or Dockerfile, or something cannot be read.
    """
    source = project / build.context
    aside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="context-", dir=aside) as place:
        folder = Path(place)
        try:
            if not (source / build.dockerfile).is_file():
                raise EnvironmentBuildError(f"there is no {build.dockerfile} in {source}; name it in build.dockerfile")
            _copy(source, folder, project, build.dockerfile)
            found = digest_folder(str(folder))
        except (NotStorable, OSError) as error:
            raise EnvironmentBuildError(f"an image cannot be built of {source}: {error}") from error
        whole = f"{found.sha256}\n{build.dockerfile}"
        tag = hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]
        yield Context(folder=folder, dockerfile=build.dockerfile, tag=tag)


def _copy(source: Path, folder: Path, project: Path, dockerfile: str) -> None:
    """Copy what counts. The Dockerfile counts in any case, as it does for those who build images."""
    inside = source.resolve() == project.resolve() or project.resolve() in source.resolve().parents
    found, _ = walk_input(str(source), str(project if inside else source))
    ignore_file = source / _IGNORE_FILE
    ignoring = (
        DockerIgnore(ignore_file.read_text(encoding="utf-8-sig", errors="surrogateescape"))
        if ignore_file.is_file()
        else None
    )
    for path, entry in found:
        if path == _IGNORE_FILE or path.split("/")[0] in _OURS or (ignoring is not None and ignoring.ignored(path)):
            continue
        target = folder / path
        if entry.is_dir(follow_symlinks=False):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not entry.is_file() and not entry.is_symlink():
            raise NotStorable(f"{path} is a socket, pipe or device")
        shutil.copy(entry.path, target, follow_symlinks=False)
    if not (folder / dockerfile).exists():
        (folder / dockerfile).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / dockerfile, folder / dockerfile)


class DockerIgnore:
    """The rules of a ``.dockerignore``: patterns from the top of the context; the last that matches decides."""

    def __init__(self, content: str) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in content.splitlines():
            text = line.strip()
            if not text or line.startswith("#"):
                continue
            keeps = text.startswith("!")
            cleaned = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
            if cleaned != ".":
                self._rules.append((keeps, re.compile(_translated(cleaned), re.DOTALL)))

    def ignored(self, path: str) -> bool:
        """Say whether something is left out; what is below a folder that a pattern means is meant, too."""
        parts = path.split("/")
        paths = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        for keeps, pattern in reversed(self._rules):
            if any(pattern.fullmatch(each) for each in paths):
                return not keeps
        return False


def _translated(pattern: str) -> str:
    """Translate a pattern: ``**`` stands for any folders, ``*`` and ``?`` stop at slashes, a backslash quotes."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            if pattern.startswith("/", at):
                at += 1
                parts.append(r"(?:.*/)?")
            else:
                parts.append(r".*")
        elif char == "*":
            parts.append(r"[^/]*")
        elif char == "?":
            parts.append(r"[^/]")
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            members = pattern[at:end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{members}]")
            at = end + 1
        elif char == "\\" and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append(re.escape(char))
    return "".join(parts)
