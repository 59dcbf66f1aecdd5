"""Which files of a project go where its controller goes: what git would keep, and whatever the workflow names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from longshore.config.globs import is_glob
from longshore.config.project_files import ProjectFiles
from longshore.config.variables import VARIABLE
from longshore.errors import UsageError
from longshore.model.attempt import Item
from longshore.model.quantity import format_size
from longshore.model.task import FileInput, Secret, TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.remote.walking import rules_above, walk_input
from longshore.runtime.digests import Digests
from longshore.runtime.folders import heaviest

__all__ = ["Sent", "list_files", "sent_of"]

_OURS = (".longshore", "results", ".git")
_GIT_SECONDS = 60.0


@frozen(kw_only=True)
class Sent:
    """What goes there."""

    files: tuple[Item, ...]
    links: tuple[tuple[str, str], ...]
    """Symbolic links: their paths, and what they say."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self.files)

    def heaviest(self, count: int = 3) -> str:
        """Name the folders, or files, at the project's top that have most of it, with their sizes."""
        return heaviest(((item.path, item.size) for item in self.files), count)


def sent_of(folder: Path, spec: WorkflowSpec, store: Path) -> Sent:
    """Find and digest what a controller of this workflow needs of its project's folder.

    Raises:
        UsageError: when the workflow reads what is outside of the folder.
        InputMissing: when a file cannot be read.
    """
    paths = sorted({*list_files(folder), *_named(folder, spec)})
    links = tuple((path, os.readlink(folder / path)) for path in paths if (folder / path).is_symlink())
    linked = {path for path, _ in links}
    files = [path for path in paths if path not in linked and (folder / path).is_file()]
    digests = Digests(store)
    try:
        found = digests.of([str(folder / path) for path in files])
    finally:
        digests.close()
    items = [
        Item(path=path, sha256=each.sha256, size=each.size, mode=each.mode, source=str(folder / path))
        for path, each in zip(files, found, strict=True)
    ]
    return Sent(files=tuple(items), links=links)


def list_files(folder: Path) -> list[str]:
    """List a project's files: those that git tracks or would track, where it is a work tree of git, else all.

    What Longshore itself writes is never among them.
    """
    known = _by_git(folder)
    paths = _walk(folder) if known is None else known
    return sorted(path for path in paths if path.partition("/")[0] not in _OURS)


def _by_git(folder: Path) -> list[str] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None  # no work tree, or one that git does not trust
    names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return [name for name in names if os.path.lexists(folder / name)]


def _walk(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        inner = os.path.relpath(place, folder)
        if inner == ".":
            folders[:] = [name for name in folders if name not in _OURS]
        below = "" if inner == "." else f"{inner}/"
        yield from (below + name for name in names)
        yield from (below + name for name in folders if (Path(place) / name).is_symlink())


def _named(folder: Path, spec: WorkflowSpec) -> Iterable[str]:
    """Give what the workflow itself names: it is needed there, also when git ignores it."""
    project = ProjectFiles(folder)
    if spec.env_file is not None:
        yield from _inside(folder, [spec.env_file], "env_file")
    for task in spec.tasks:
        yield from _inside(folder, _inputs(project, task), f"tasks.{task.name}.inputs")
        for path, secret in task.secrets.items():
            yield from _secret(folder, task.name, path, secret)


def _inputs(project: ProjectFiles, task: TaskSpec) -> Iterator[str]:
    for each in task.inputs:
        if isinstance(each, FileInput):
            path = VARIABLE.sub("*", each.path)
            yield from project.find(path, folders=True) if is_glob(path) else [path]


def _secret(folder: Path, task: str, path: str, secret: Secret) -> Iterable[str]:
    if secret.variable:
        raise UsageError(
            f"tasks.{task}.secrets.{path} is read from the variable {secret.variable} of this computer, which a "
            "controller elsewhere does not have; put it into a file of the project that git ignores"
        )
    return _inside(folder, [secret.file], f"tasks.{task}.secrets.{path}")


def _inside(folder: Path, paths: Iterable[str], key: str) -> Iterator[str]:
    for path in paths:
        place = folder / path
        if os.path.isabs(path) or path.startswith("~") or ".." in path.split("/"):
            raise UsageError(
                f"{key}: {path} is outside of {folder}, and a controller elsewhere has that folder alone; copy it there"
            )
        if place.is_dir() and not place.is_symlink():
            inner = path.rstrip("/")
            yield from rules_above(inner, str(folder))
            found, _ = walk_input(str(folder / inner), str(folder))
            yield from (f"{inner}/{name}" for name, entry in found if not entry.is_dir(follow_symlinks=False))
        elif os.path.lexists(place):
            yield path


def described(sent: Sent, most: int) -> Sequence[str]:
    """Say what makes it heavy, when it has more than so many bytes."""
    if sent.size <= most:
        return ()
    return (f"{format_size(sent.size)} of the project go there: {sent.heaviest()}",)
