"""What a task reads, found and digested: items for its workdir, the command that reads them there, and its identity."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from os import fsencode

from attrs import define, field, frozen

from longshore.config.globs import is_glob
from longshore.config.project_files import ProjectFiles
from longshore.errors import InputMissing
from longshore.model.attempt import Item
from longshore.model.command import Call, Command
from longshore.model.task import FileInput, Reference, Task, TaskSpec, UrlInput
from longshore.remote.store import put_bytes
from longshore.runtime.calls import with_arguments
from longshore.runtime.digests import Digested, Digests
from longshore.runtime.filling import filled, variables_of, with_values
from longshore.runtime.folders import together
from longshore.runtime.modules import bundle
from longshore.runtime.objects import Objects
from longshore.runtime.project import Project
from longshore.runtime.references import Elsewhere, References, executed_command
from longshore.scheduler.identity import fixed_part, identity, input_parts
from longshore.scheduler.state import RunState

__all__ = ["Inputs", "Resolved"]

_TRUST_SECONDS = 1.0
"""Files that all members of a task read are looked at again after this time, not for each of 10,000 members."""
_QUICK_BYTES = 1 << 20
"""So much is read on the spot; more is left to a thread of its own."""
_LIST = "in/.inputs"
"""No task's name begins with a dot, so no task's outputs can be in the way."""

_NO_CODE: frozenset[str] = frozenset()

Group = tuple[str, tuple[Item, ...]]
"""A declared input, by its text, and what it has come to."""


@frozen(kw_only=True)
class Resolved:
    """Everything about a task that follows from what it reads."""

    items: tuple[Item, ...]
    modules: Item | None = None
    """As in `longshore.model.attempt.AttemptSpec`."""
    command: Command
    env: Mapping[str, str]
    """The task's own variables and its parameters."""
    identity: str
    parts: str
    """What the identity was made of, as JSON text."""

    @property
    def unread(self) -> tuple[str, ...]:
        """The addresses of what nobody has read yet, so that the identity is none that anything can have."""
        return tuple([item.address for item in self.items if not item.sha256])


@define(eq=False)
class _Files:
    """What tasks with equal inputs read of the project: thousands of calls are tasks of their own, and read one module.

    ``groups`` is what ``shared`` came to at ``looked_at``.
    """

    shared: tuple[FileInput, ...]
    personal: tuple[FileInput, ...]
    """With parameters in their paths."""
    guessed: frozenset[str]
    globs: bool
    urls: tuple[str, ...]
    """Objects of buckets and of the web."""
    groups: tuple[Group, ...] = ()
    looked_at: float = field(default=float("-inf"))

    @property
    def fresh(self) -> bool:
        """Whether the shared ones need not be looked at again."""
        return time.monotonic() - self.looked_at < _TRUST_SECONDS


@define(eq=False)
class _Spec:
    """What is worked out once for all members of a task."""

    spec: TaskSpec
    files: _Files
    command: Command | None
    """What all members execute; None when each has its own."""
    lists: bool
    """Whether it reads globs, so that it is given a list of what they mean."""
    waits: bool
    """Whether it reads what another workflow writes, which may have to run first."""
    code: frozenset[str]
    """A Python call's own code: it counts for the identity, and workers import it from where it is."""
    fixed: str | None = None


class Inputs:
    """Looks at what the tasks of one run read. Any thread may ask."""

    def __init__(
        self,
        project: Project,
        state: RunState,
        elsewhere: Elsewhere | None = None,
        objects: Objects | None = None,
    ) -> None:
        """Watch a run's state for what its tasks have written; ``elsewhere`` answers for other workflows, and
        ``objects`` for buckets and the web.
        """
        self._project = project
        self._files = ProjectFiles(project.folder)
        self._digests = Digests(project.store)
        self._references = References(state, project.store, elsewhere)
        self._objects = objects
        self._state = state
        self._environments = dict[str, str]()
        self.away: set[str] = set()
        """Pools whose machines do not have the project's folder."""
        self.apart: set[str] = set()
        """Pools whose machines do not have the project's store either, so that no object need be in it for them."""
        self._bundles: dict[tuple[Item, ...], Item] = {}
        self._specs: dict[int, _Spec] = {}
        self._files_of: dict[tuple[tuple[FileInput | UrlInput, ...], tuple[str, ...]], _Files] = {}

    def known(self, task: Task) -> bool:
        """Say whether `resolve` would answer at once, without reading large files or waiting for another workflow."""
        if task.problem:
            return True
        spec = self._spec(task.spec)
        if spec.waits or spec.files.urls:
            return False
        try:
            files = spec.files
            if files.shared and not files.fresh and not self._quick(self._paths(files.shared, task)):
                return False
            return not files.personal or self._quick(self._paths(files.personal, task))
        except InputMissing:
            return True

    def resolve(self, task: Task) -> Resolved:
        """Find and digest what a task reads; all tasks that it waits for must have succeeded.

        Raises:
            InputMissing: when something is not there, or cannot be read; says what there was instead.
        """
        if task.problem:
            raise InputMissing(task.problem)
        spec = self._spec(task.spec)
        files = spec.files
        groups: list[Group] = []
        if files.shared:
            groups += self._shared(files, task)
        if files.personal:
            groups += self._groups(files.personal, task)
        if files.urls:
            groups += [self._object(url, task) for url in files.urls]
        if task.spec.references:
            groups += self._references.items(task)
        command = spec.command or self._command(task)
        fixed = spec.fixed
        if fixed is None:
            fixed = fixed_part(task, command, self._environment(task))
            if spec.command is not None:
                spec.fixed = fixed
        digest, parts = identity(task, fixed, input_parts(groups) if groups else {})
        laid = [group for group in groups if group[0] not in spec.code] if spec.code else groups
        items = together(task, laid, self._digests.folders) if laid else ()
        modules = self._modules(spec, groups) if spec.code and self._state.pool_of(task.spec) in self.away else None
        env = {**task.spec.env, **dict(task.params)} if task.params else task.spec.env
        if spec.lists:
            listing = self._listing(task, items, groups)
            items, env = (*items, listing), {**env, "LONGSHORE_INPUTS": listing.path}
        return Resolved(items=items, modules=modules, command=command, env=env, identity=digest, parts=parts)

    def _environment(self, task: Task) -> str:
        """Give the digest of a task's environment, which may have joined the run with it; empty for none."""
        name = task.spec.environment
        if not name:
            return ""
        if name not in self._environments:
            self._environments = {each.name: each.digest for each in self._state.workflow.environments}
        return self._environments.get(name, "")

    def _modules(self, spec: _Spec, groups: Sequence[Group]) -> Item:
        """Make one folder of the files that a call imports from the project."""
        files = tuple(item for name, items in groups if name in spec.code for item in items)
        known = self._bundles.get(files)
        if known is None:
            known = self._bundles[files] = bundle(files, self._project.store)
        return known

    def meant(self, reference: Reference, task: Task) -> Iterator[tuple[str, Item]]:
        """Give each file and folder that a reference means, after its path below the producer's folder.

        Raises:
            InputMissing: when there is no such task or member, or the store has lost a folder.
        """
        return self._references.meant(reference, task)

    def sending(self, items: Sequence[Item]) -> None:
        """Learn that these go to a machine; a heavy folder among them is worth a warning."""
        self._digests.sending(items)

    def close(self) -> None:
        """Keep what was learnt about files for the next run."""
        self._digests.close()

    def _spec(self, spec: TaskSpec) -> _Spec:
        known = self._specs.get(id(spec))
        if known is None:
            known = self._specs[id(spec)] = self._worked_out(spec)
        return known

    def _worked_out(self, spec: TaskSpec) -> _Spec:
        key = spec.inputs, tuple([parameter.name for parameter in spec.for_each])
        files = self._files_of.get(key)
        if files is None:
            files = self._files_of[key] = _files_of(*key)
        command: Command | None = spec.command
        code = files.guessed if isinstance(command, Call) else _NO_CODE
        if isinstance(command, Call) and '"$' in command.arguments:
            command = None
        if not spec.references:
            # Much the most common where there are many.
            return _Spec(spec, files, command, lists=files.globs, waits=False, code=code)
        if any("$" in each.member and each.start >= 0 for each in spec.references):
            command = None
        elif command is not None:
            command = executed_command(Task(id=spec.name, spec=spec))
        lists = files.globs or any(each.glob or is_glob(each.member) for each in spec.references)
        waits = any(each.workflow for each in spec.references)
        return _Spec(spec, files, command, lists=lists, waits=waits, code=code)

    def _command(self, task: Task) -> Command:
        return with_arguments(executed_command(task), task, self._state)

    def _object(self, url: str, task: Task) -> Group:
        """Look at an object, or at all that a glob means; have them in the project's store, if they have to be."""
        if self._objects is None:
            raise InputMissing(f"the input {url} of {task.id} cannot be had here: let a task of its own fetch it")
        meant = with_values(url, task)
        # A value that has a star in it is no glob.
        urls = self._objects.matching(meant) if is_glob(url) else [meant]
        here = self._state.pool_of(task.spec) not in self.apart
        return url, tuple([self._objects.item(each, here=here) for each in urls])

    def _shared(self, files: _Files, task: Task) -> tuple[Group, ...]:
        if not files.fresh:
            files.groups = tuple(self._groups(files.shared, task))
            files.looked_at = time.monotonic()
        return files.groups

    def _groups(self, inputs: Sequence[FileInput], task: Task) -> list[Group]:
        found: list[Group] = []
        for each in inputs:
            paths = self._paths([each], task)
            project = self._project.folder
            digests = self._digests.of([str(project / path) for path in paths], str(project))
            found.append((each.path, tuple(map(self._item, paths, digests))))
        return found

    def _item(self, path: str, digested: Digested) -> Item:
        return Item(
            path=path,
            sha256=digested.sha256,
            size=digested.size,
            mode=digested.mode,
            kind=digested.kind,
            source=str(self._project.folder / path),
        )

    def _paths(self, inputs: Sequence[FileInput], task: Task) -> list[str]:
        """Give the project paths that declared inputs mean, with parameters filled in and globs expanded."""
        found: list[str] = []
        for each in inputs:
            path = filled(each.path, task) if "$" in each.path else each.path
            if not is_glob(path) or (self._project.folder / path).exists():
                found.append(path)
                continue
            matching = self._files.find(path, folders=True)
            if not matching:
                raise InputMissing(f"the input {each.path} of {task.id} means no file in {self._project.folder}")
            found += matching
        return found

    def _quick(self, paths: Sequence[str]) -> bool:
        """Say whether these files have known digests, or are so small that they may as well be read now."""
        unknown_bytes = 0
        for path in paths:
            place = self._project.folder / path
            if self._digests.known(str(place)) is None:
                if place.is_dir():
                    return False
                unknown_bytes += place.stat().st_size
        return unknown_bytes <= _QUICK_BYTES

    def _listing(self, task: Task, items: Sequence[Item], groups: Sequence[Group]) -> Item:
        """Write down what the globs mean, one path a line, and give the file as one more item."""
        listed = {item.path for declared, group in groups if is_glob(declared) for item in group}
        paths = [item.path for item in items if item.path in listed]
        broken = next((path for path in paths if "\n" in path), None)
        if broken is not None:
            raise InputMissing(f"the name of {broken!r}, an input of {task.id}, has a line break; rename the file")
        content = b"".join(fsencode(path) + b"\n" for path in paths)
        digest = sha256(content).hexdigest()
        try:
            put_bytes(str(self._project.store), content, digest)
        except OSError as error:
            raise InputMissing(f"the list of the inputs of {task.id} cannot be written: {error}") from error
        return Item(path=_LIST, sha256=digest, size=len(content))


def _files_of(inputs: tuple[FileInput | UrlInput, ...], parameters: tuple[str, ...]) -> _Files:
    files = [each for each in inputs if isinstance(each, FileInput)]
    names = {*parameters, "repeat"}
    return _Files(
        shared=tuple(each for each in files if not variables_of(each.path) & names),
        personal=tuple(each for each in files if variables_of(each.path) & names),
        guessed=frozenset(each.path for each in files if each.guessed),
        globs=any(is_glob(each.path if isinstance(each, FileInput) else each.url) for each in inputs),
        urls=tuple(each.url for each in inputs if isinstance(each, UrlInput)),
    )
