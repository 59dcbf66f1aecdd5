"""What a task reads of other tasks: their outputs as items below ``in/``, and the command with the paths of those
items.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from attrs import evolve

from longshore.config.globs import is_glob, matches
from longshore.errors import InputMissing
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.names import near
from longshore.model.task import Reference, Task
from longshore.remote.digest import Entry, FolderDigest, NotStorable, parse_listing
from longshore.remote.store import object_path, put_bytes
from longshore.scheduler.graph import matching, member_of
from longshore.scheduler.state import RunState

__all__ = ["Elsewhere", "References", "executed_command", "origin_of"]

Elsewhere = Callable[[Reference], Mapping[str, Sequence[Artifact]]]
"""Gives what a task of another workflow wrote in its latest good run, by member (empty for one that stands alone)."""

_ALL = "**"
_LISTINGS = 8
"""So many folders' listings are kept in memory; the members of one task read the same ones."""
_SHOWN = 20


def executed_command(task: Task) -> Command:
    """Give a task's command with ``workflow:///<task>/`` replaced by ``in/<task>/``; quotes and globs stay as they
    are.
    """
    spec = task.spec
    placed = [each for each in spec.references if each.start >= 0]
    if not placed:
        return spec.command
    match spec.command:
        case Shell(text):
            return Shell(_replaced(text, placed, task))
        case Argv(args):
            return Argv(
                tuple(
                    _replaced(argument, [each for each in placed if each.argument == number], task)
                    for number, argument in enumerate(args)
                )
            )
        case Call(arguments=arguments):
            return evolve(spec.command, arguments=_replaced(arguments, placed, task))


def _replaced(text: str, references: Sequence[Reference], task: Task) -> str:
    # From the end, so that the offsets of those before stay true.
    for each in sorted(references, key=lambda reference: reference.start, reverse=True):
        folder = _folder(each)
        if "$" in each.member:
            folder += f"/{member_of(each, task)}"
        slash = "/" if text[each.prefix_end - 1] == "/" else ""
        text = f"{text[: each.start]}{folder}{slash}{text[each.prefix_end :]}"
    return text


def _folder(reference: Reference) -> str:
    """Say where the outputs of a producer lie in the workdir. No task's name begins with ``@``, so workflows are kept
    apart.
    """
    return f"in/@{reference.workflow}/{reference.task}" if reference.workflow else f"in/{reference.task}"


def origin_of(item: Item, state: RunState) -> str:
    """Say which task of this run wrote an item; empty when none did. Its place in the workdir tells: see `_folder`."""
    top, _, below = item.path.partition("/")
    name, _, inner = below.partition("/")
    group = state.groups.get(name) if top == "in" else None
    if group is None:
        return ""
    # The table of its members lies among them, and none of them has made it.
    return group.members.get(inner.partition("/")[0] if group.spec.expands else "", "")


class References:
    """Selects outputs of the tasks of one run. Any thread may ask."""

    def __init__(self, state: RunState, store: Path, elsewhere: Elsewhere | None = None) -> None:
        self._state = state
        self._store = str(store)
        self._elsewhere = elsewhere
        self._listings: OrderedDict[str, Mapping[str, Entry]] = OrderedDict()

    def items(self, task: Task) -> Iterator[tuple[str, tuple[Item, ...]]]:
        """Give for each reference of a task what it means.

        Raises:
            InputMissing: when one means nothing; says what the producer did write.
        """
        for reference in task.spec.references:
            found: list[Item] = []
            there: list[str] = []
            for folder, outputs in self._produced(reference, task):
                for artifact in outputs:
                    found += self._selected(reference.path, artifact, folder)
                if not found:
                    there += [f"{folder}/{artifact.path}" for artifact in outputs]
            if not found:
                raise InputMissing(_nothing(reference, task, there))
            yield str(reference), tuple(found)

    def meant(self, reference: Reference, task: Task) -> Iterator[tuple[str, Item]]:
        """Give each file and folder that a reference means, after its path below the producer's folder.

        Raises:
            InputMissing: when there is no such task or member, or the store has lost a folder.
        """
        for folder, outputs in self._produced(reference, task):
            for artifact in outputs:
                for item in self._selected(reference.path, artifact, folder):
                    yield item.path.removeprefix(f"{folder}/"), item

    def _produced(self, reference: Reference, task: Task) -> Iterator[tuple[str, Sequence[Artifact]]]:
        """Give the outputs of all producers that are meant, each with the folder that they are laid into."""
        folder = _folder(reference)
        if reference.workflow:
            if self._elsewhere is None:
                raise InputMissing(f"{reference}: nothing is known of the workflow {reference.workflow}")
            # Which segment of the path is a member was not known when it was written, so members count as folders.
            for member, outputs in self._elsewhere(reference).items():
                yield folder, [evolve(each, path=f"{member}/{each.path}") for each in outputs] if member else outputs
            return
        group = self._state.groups.get(reference.task)
        if group is None:
            raise InputMissing(f"{reference}: the run has no task {reference.task}")
        if not group.spec.expands:
            yield folder, self._state.tasks[reference.task].outputs
            return
        if not reference.member:
            yield folder, group.table
            return
        members = matching(group.members, member_of(reference, task))
        for member in group.members if members is None else members:
            yield f"{folder}/{member}", self._state.tasks[group.members[member]].outputs

    def _selected(self, path: str, artifact: Artifact, folder: str) -> Iterator[Item]:
        """Give what of an artifact a path or glob means: all of it, something below it, or nothing."""
        if path == _ALL or _covers(path, artifact.path):
            yield _whole(artifact, folder)
        elif artifact.kind == "folder" and (is_glob(path) or path.startswith(f"{artifact.path}/")):
            yield from self._below(path, artifact, folder)

    def _below(self, path: str, artifact: Artifact, folder: str) -> Iterator[Item]:
        entries = self._listing(artifact)
        if is_glob(path):
            wanted = [name for name in entries if matches(path, f"{artifact.path}/{name}")]
        else:
            name = path.removeprefix(f"{artifact.path}/")
            wanted = [name] if name in entries else []
        for name in wanted:
            entry = entries[name]
            if entry.kind == "l":
                # What a link points to may be anywhere in the folder, so all of it is needed.
                yield _whole(artifact, folder)
                return
            place = f"{folder}/{artifact.path}/{name}"
            if entry.kind == "f":
                yield Item(path=place, sha256=entry.sha256, size=entry.size, mode=entry.mode)
            else:
                yield self._subfolder(place, name, entry.mode, entries)

    def _subfolder(self, place: str, name: str, mode: int, entries: Mapping[str, Entry]) -> Item:
        """Make a folder of its own of one inside a folder; its files are in the store already, only its listing is
        new.
        """
        inner = [
            Entry(each.kind, path[len(name) + 1 :], each.mode, each.size, each.sha256, each.target)
            for path, each in entries.items()
            if path.startswith(f"{name}/")
        ]
        digest = FolderDigest(inner)
        try:
            put_bytes(self._store, digest.listing, digest.sha256)
        except OSError as error:
            raise InputMissing(f"{place} cannot be prepared: {error}") from error
        return Item(path=place, sha256=digest.sha256, size=digest.size, mode=mode, kind="folder")

    def _listing(self, artifact: Artifact) -> Mapping[str, Entry]:
        known = self._listings.get(artifact.sha256)
        if known is None:
            try:
                content = Path(object_path(self._store, artifact.sha256)).read_bytes()
                known = {entry.path: entry for entry in parse_listing(content)}
            except (OSError, NotStorable) as error:
                raise InputMissing(f"the folder {artifact.path} is no longer whole in the store: {error}") from error
            self._listings[artifact.sha256] = known
            while len(self._listings) > _LISTINGS:
                self._listings.popitem(last=False)
        return known


def _covers(path: str, artifact: str) -> bool:
    """Say whether a path or glob means an artifact or a folder above it."""
    if is_glob(path):
        above = PurePosixPath(artifact).parents[:-1]  # the last one is ".", the producer's folder itself
        return matches(path, artifact) or any(matches(path, str(folder)) for folder in above)
    return artifact == path or artifact.startswith(f"{path}/")


def _whole(artifact: Artifact, folder: str) -> Item:
    return Item(
        path=f"{folder}/{artifact.path}",
        sha256=artifact.sha256,
        size=artifact.size,
        mode=artifact.mode,
        kind=artifact.kind,
    )


def _nothing(reference: Reference, task: Task, there: Sequence[str]) -> str:
    if not there:
        return f"{task.id} reads {reference}, but {reference.task} has written nothing"
    close = near(reference.path, [path.removeprefix(f"{_folder(reference)}/") for path in there])
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return f"{task.id} reads {reference}, which was not written; {hint}there is {', '.join(there[:_SHOWN])}{more}"
