"""What a task reads of other tasks: each mention becomes a `Reference`, with every name in it checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict, assert_never

from attrs import define, field

from longshore.config.globs import is_glob
from longshore.config.mentions import Mention, call_results, mention_in_text, mentions
from longshore.config.problems import Key, Problems, wrong
from longshore.config.sketch import Draft, Sketch
from longshore.config.urls import Link, LinkedSource
from longshore.model.command import Argv, Call, Shell
from longshore.model.names import clean_relative
from longshore.model.shell import Piece
from longshore.model.task import OutputFiles, OutputLines, Parameter, Reference, TaskSpec

__all__ = ["ALL", "Linked", "Links", "source_references", "speaks_of_others"]

ALL = "**"
"""The path of a reference when only the running shell will know it."""

_QUOTES = ("'", '"')


class Linked(TypedDict):
    """What a task reads of others, as arguments of `TaskSpec`."""

    references: tuple[Reference, ...]
    for_each: tuple[Parameter, ...]
    after: tuple[str, ...]


def speaks_of_others(draft: Draft) -> bool:
    """Say whether a task may have anything for `Links.of`; quick, and sure when it says no."""
    if draft.inputs or draft.for_each or "after" in draft.words:
        return True
    match draft.command:
        case Shell(text):
            return "workflow:" in text
        case Argv(args):
            return any("workflow:" in argument for argument in args)
        case Call(arguments=arguments):
            return '"$' in arguments
        case _:
            assert_never(draft.command)


def source_references(parameters: Iterable[Parameter]) -> Iterator[Reference]:
    """List the outputs of earlier tasks that give values to parameters."""
    for parameter in parameters:
        if isinstance(parameter.source, OutputLines | OutputFiles):
            yield parameter.source.reference


@define
class Links:
    """Reads the mentions of all tasks of a workflow; mistakes go to ``problems``."""

    sketch: Sketch
    problems: Problems
    wanted: dict[str, dict[str, Key]] = field(factory=dict, init=False)
    """Per producer: paths that are read of it, a slash behind folders, each with the key of the first reader."""

    def of(self, draft: Draft) -> Linked:
        """Look at everything that a task says of others."""
        after = self._after(draft, draft.words.pop("after", ()))
        return Linked(references=self._references(draft), for_each=self._parameters(draft), after=after)

    def _references(self, draft: Draft) -> tuple[Reference, ...]:
        """Find what a task reads of others by its command and its ``inputs``."""
        found: list[Reference] = []
        key = ("tasks", draft.name, "call" if isinstance(draft.command, Call) else "command")
        text = draft.command.text if isinstance(draft.command, Shell) else ""
        for mention in mentions(draft.command):
            found += self._reference(draft, key, mention, text)
        known = {(each.workflow, each.task, each.member, each.path) for each in found}
        for item in draft.inputs:
            if isinstance(item, Link):
                for each in self._reference(draft, ("tasks", draft.name, "inputs"), mention_in_text(item.url)):
                    if (each.workflow, each.task, each.member, each.path) not in known:
                        found.append(_unplaced(each))
        return tuple(found)

    def _parameters(self, draft: Draft) -> tuple[Parameter, ...]:
        """Finish the sources of ``for_each``."""
        found: list[Parameter] = []
        for name, source in draft.for_each:
            if not isinstance(source, LinkedSource):
                found.append(Parameter(name, source))
                continue
            key = ("tasks", draft.name, "for_each", name)
            for each in self._reference(draft, key, mention_in_text(source.url)):
                reference = _unplaced(each)
                linked = (
                    OutputLines(reference) if source.lines else OutputFiles(reference=reference, first=source.first)
                )
                found.append(Parameter(name, linked))
        return tuple(found)

    def _after(self, draft: Draft, names: tuple[str, ...]) -> tuple[str, ...]:
        """Check the names that a task only waits for, those whose results a call is given among them."""
        for name in names:
            self._check_task(("tasks", draft.name, "after"), name, "a task")
        results = call_results(draft.command)
        for name in results:
            if self._check_task(("tasks", draft.name, "call"), name, "a call whose result can be had"):
                self._check_call(draft, name)
        return (*names, *(name for name in results if name not in names))

    def _check_call(self, draft: Draft, name: str) -> None:
        producer = self.sketch.drafts.get(name) or self.sketch.given.get(name)
        if producer is not None and not isinstance(producer.command, Call):
            message = f"{name!r} is a command and has no result"
            self.problems.add(("tasks", draft.name, "call"), message, "read a file that it writes, or make it a call")

    def _reference(self, draft: Draft, key: Key, mention: Mention, shell_text: str = "") -> Iterable[Reference]:
        """Make the reference that a mention means; none when it is wrong."""
        try:
            if mention.problem:
                raise ValueError(mention.problem)
            if mention.workflow and mention.workflow != self.sketch.name:
                return [_elsewhere(mention)]
            if not mention.task:
                raise wrong("the reference names no task", "write it as in workflow:///task/path")
            if not self._check_task(key, mention.task, "a task"):
                return []
            producer = self.sketch.drafts.get(mention.task) or self.sketch.given.get(mention.task)
            if producer is None:
                return []
            return [self._inside(draft, key, mention, producer, shell_text)]
        except ValueError as error:
            self.problems.take(key, error)
            return []

    def _check_task(self, key: Key, name: str, what: str) -> bool:
        known = (self.sketch.drafts, self.sketch.broken, self.sketch.given)
        if any(name in names for names in known):
            return True
        among = (each for names in known for each in names)
        self.problems.add(
            key, f"there is no task {name!r}", f"name {what} of this workflow", misspelt=name, among=among
        )
        return False

    def _inside(
        self, draft: Draft, key: Key, mention: Mention, producer: Draft | TaskSpec, shell_text: str
    ) -> Reference:
        member, end, table = "", mention.prefix_end, False
        pieces: Sequence[Piece] = mention.pieces
        text = mention.path
        if producer.expands and not (table := _is_table(producer, mention)):
            segment, pieces = _first_segment(mention.pieces)
            member = _member(segment, pieces, draft, producer)
            text = mention.path.partition("/")[2]
            if any(piece.variable for piece in segment):
                end = segment[-1].end
                if any(shell_text.count(quote, mention.start, end) % 2 for quote in _QUOTES):
                    raise wrong(
                        f"a quote opens or closes inside {shell_text[mention.start : end]!r}",
                        "put the whole reference in quotes, or none of it",
                    )
        path, folder = _path(text, pieces, mention.shell)
        if not table:
            self.wanted.setdefault(producer.name, {}).setdefault(f"{path}/" if folder else path, key)
        return Reference(
            task=producer.name,
            path=path,
            member=member,
            glob=is_glob(path),
            argument=mention.argument,
            start=mention.start,
            prefix_end=end,
        )


def _unplaced(reference: Reference) -> Reference:
    """Take the offsets away: it stands in no command."""
    return Reference(
        task=reference.task,
        path=reference.path,
        member=reference.member,
        workflow=reference.workflow,
        glob=reference.glob,
    )


def _elsewhere(mention: Mention) -> Reference:
    """Another workflow's tasks are known only when the run begins: the path stays as it is written."""
    path, _ = _path(mention.path, mention.pieces, mention.shell)
    if not mention.task or not mention.path:
        raise wrong(
            f"the reference to workflow {mention.workflow!r} is not complete",
            f"write it as in workflow://{mention.workflow}/task/path",
        )
    return Reference(
        task=mention.task,
        path=path,
        workflow=mention.workflow,
        glob=is_glob(path),
        argument=mention.argument,
        start=mention.start,
        prefix_end=mention.prefix_end,
    )


def _is_table(producer: Draft | TaskSpec, mention: Mention) -> bool:
    """Say whether the table is meant that the producer's members are collected into, and none of them."""
    collect = producer.words.get("collect") if isinstance(producer, Draft) else producer.collect
    return collect is not None and mention.path == collect.into


def _first_segment(tail: Sequence[Piece]) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Split what follows the task's name at its first slash, which belongs to neither side."""
    for number, piece in enumerate(tail):
        if piece.text is not None and "/" in piece.text:
            before, _, behind = piece.text.partition("/")
            slash = piece.start + len(before)
            left = [*tail[:number], Piece(piece.start, slash, before)] if before else list(tail[:number])
            right = [Piece(slash + 1, piece.end, behind), *tail[number + 1 :]] if behind else list(tail[number + 1 :])
            return left, right
    return tail, ()


def _member(segment: Sequence[Piece], rest: Sequence[Piece], draft: Draft, producer: Draft | TaskSpec) -> str:
    if not segment or not rest:
        ours = [f"${name}" for name in _parameters(producer) if name in draft.parameters]
        parameters = ",".join(ours) if len(ours) == len(_parameters(producer)) else "*"
        raise wrong(
            f"{producer.name!r} stands for many tasks, and the reference says not which of them is meant",
            f"name one, or all by a glob, before the path: workflow:///{producer.name}/{parameters}/path",
        )
    for piece in segment:
        if piece.text is None and piece.variable is None:
            raise wrong(
                f"which of the tasks {producer.name!r} is meant is known only to the running shell",
                "name a member, a glob over members, or a parameter of this task such as $year",
            )
        if piece.variable is not None and piece.variable not in draft.parameters:
            known = ", ".join(f"${name}" for name in sorted(draft.parameters)) or "none"
            raise wrong(
                f"${piece.variable} is no parameter of {draft.name!r}, so which of {producer.name!r} is meant "
                "is known only to the running shell",
                f"use a parameter of this task ({known}), a member's name, or a glob such as *",
            )
    return "".join(map(_written, segment, [*segment[1:], None]))


def _parameters(producer: Draft | TaskSpec) -> list[str]:
    """Name the parameters of a task in the order in which they name its members."""
    if isinstance(producer, Draft):
        return [*(name for name, _ in producer.for_each), *(["repeat"] if "repeat" in producer.words else [])]
    return [*(each.name for each in producer.for_each), *(["repeat"] if producer.repeat else [])]


def _written(piece: Piece, following: Piece | None) -> str:
    if piece.text is not None:
        return piece.text
    joined = following is not None and following.text is not None and re.match(r"\w", following.text)
    return f"${{{piece.variable}}}" if joined else f"${piece.variable}"


def _path(text: str, pieces: Sequence[Piece], shell: bool) -> tuple[str, bool]:
    """Say which path of the producer is meant, and whether it is written as a folder."""
    unknown = next((piece for piece in pieces if piece.text is None), None)
    if unknown is not None and not shell:
        raise wrong(
            f"nothing puts a value in the place of ${unknown.variable} here",
            "write the command as a text, which a shell reads, or a glob such as *",
        )
    if unknown is not None:
        return ALL, False
    if text.strip("/") in ("", "."):
        return ALL, False
    return str(clean_relative(text)), text.endswith("/")
