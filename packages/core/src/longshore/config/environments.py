"""Environments as they are written, and as they are when what they name has been read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import define, evolve, field

from longshore.config.environment_fields import CONSTRAIN, ENVIRONMENT_KEYS, INCLUDE, refuse_local
from longshore.config.exported import exported
from longshore.config.fields import describe, table
from longshore.config.problems import Mistake, Mistakes, Problems, mistakes_of, wrong
from longshore.model.environment import EnvironmentSpec, Requirement, Script
from longshore.model.names import check_name, clean_relative

__all__ = ["environment", "read_environment"]

_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_MOST_DEEP = 20
_EXACT = "@EXPLICIT"
_LOCAL_LINE = re.compile(r"\s*-\s*(?:-r|--requirement|-c|--constraint|-e|--editable|file:|\.{0,2}/).*")
_NOT_CONTENT = ("name:", "prefix:")
_WITHOUT_PATH = ("image", "conda", "channels", "pip", "python")


def environment(name: str, value: object) -> EnvironmentSpec:
    """Read one table of ``[environments]``."""
    check_name(name, "environment name")
    if not isinstance(value, Mapping):
        raise wrong(
            f"{describe(value)} stands where a table is needed", f"write [environments.{name}] and the keys below it"
        )
    words = table(value, ENVIRONMENT_KEYS, '{ pip = ["numpy"] }')
    _check_together(words)
    for key, file in (("pip", "pip_file"), ("conda", "conda_file")):
        if isinstance(words.get(key), str | Script):
            words[file] = words.pop(key)
    if any(isinstance(each, Script) for each in words.get("julia", ())):
        words["julia_files"] = words.pop("julia")
    if "conda" in words and "python" in words:
        # One Python serves both: conda's own, which pip goes on with.
        words["conda"] = (Requirement(f"python={words.pop('python')}", "python"), *words["conda"])
    return EnvironmentSpec(name=name, **words)


def _check_together(words: Mapping[str, Any]) -> None:
    """Refuse keys that do not go together."""
    stray = [key for key in _WITHOUT_PATH if key in words] if "path" in words else []
    if stray:
        message = f"an environment with a path has what is there, and no {stray[0]!r} of its own"
        raise wrong(message, "take one of them out", (stray[0],))
    if "channels" in words and not isinstance(words.get("conda"), tuple):
        remedy = "name them in its file" if "conda" in words else 'write conda = ["PACKAGE"], or take it out'
        raise wrong("channels go with a list of conda's packages", remedy, ("channels",))
    if "python" in words and isinstance(words.get("conda"), Script):
        raise wrong("the version of Python stands in conda's file", "name it there: - python=3.11", ("python",))


def read_environment(spec: EnvironmentSpec, folder: Path, problems: Problems) -> EnvironmentSpec:
    """Put what stands in the project's files now, or is on this computer, in the place of their names."""
    key = ("environments", spec.name)

    def read(step: str, script: Script | None, clean: Callable[[str], str] = str) -> Script | None:
        if script is None or script.text is not None:
            return script
        try:
            return evolve(script, text=clean(_content(folder, script.name)))
        except ValueError as error:
            problems.take((*key, step), error)
            return script

    if spec.path:
        try:
            spec = exported(spec, folder)
        except ValueError as error:
            problems.take((*key, "path"), error)
    lines = _Lines(folder)
    if spec.pip_file:
        try:
            lines.read(spec.pip_file)
        except ValueError as error:
            problems.take((*key, "pip"), error)
    julia = list(spec.julia_files[:1])
    julia += [each for each in spec.julia_files[1:] if each.text is not None or (folder / each.name).is_file()]
    return evolve(
        spec,
        before=read("before", spec.before),
        conda_file=read("conda", spec.conda_file, _conda_content),
        julia_files=tuple(each for each in (read("julia", script) for script in julia) if each is not None),
        after=read("after", spec.after),
        pip=(*spec.pip, *lines.pip),
        constraints=(*spec.constraints, *lines.constraints),
        pip_file="",
    )


def _conda_content(content: str) -> str:
    """Give what of a file for conda makes the environment: not its name, and no comments."""
    lines = [bare for line in content.splitlines() if (bare := _COMMENT.sub("", line).rstrip())]
    if not any(line.strip() == _EXACT or line.startswith("dependencies:") for line in lines):
        raise wrong("it describes no environment", f"write `dependencies:` in it, or {_EXACT} and a URL a line")
    for line in lines:
        if _LOCAL_LINE.fullmatch(line):
            message = f"{line.strip()!r} is a path of this computer, which no other machine has"
            raise wrong(message, 'name packages, and give requirements by pip = "requirements.txt"')
    return "".join(f"{line}\n" for line in lines if not line.startswith(_NOT_CONTENT))


@define
class _Lines:
    """What a file of requirements says, with all that it includes: without comments, each line with its place."""

    folder: Path
    pip: list[Requirement] = field(factory=list[Requirement])
    constraints: list[Requirement] = field(factory=list[Requirement])
    _open: list[str] = field(factory=list[str])

    def read(self, path: str, *, constraining: bool = False) -> None:
        if path in self._open or len(self._open) > _MOST_DEEP:
            raise wrong(f"{path!r} includes itself", "take one of the lines out")
        self._open.append(path)
        for number, line in _whole_lines(_content(self.folder, path)):
            included = INCLUDE.fullmatch(line)
            constrained = CONSTRAIN.fullmatch(line)
            place = f"{path} line {number}"
            if included or constrained:
                other = (included or constrained or [""])[1]
                self.read(_beside(path, other, place), constraining=constraining or constrained is not None)
                continue
            try:
                refuse_local(line)
            except ValueError as error:
                raise Mistakes(
                    *(Mistake(each.below, f"{place}: {each.message}", each.remedy) for each in mistakes_of(error))
                ) from error
            (self.constraints if constraining else self.pip).append(Requirement(line, place))
        self._open.pop()


def _whole_lines(content: str) -> Iterator[tuple[int, str]]:
    """Give the lines that say something, joined where they are continued, with the number of their first line."""
    begun, first = "", 0
    for number, line in enumerate(content.splitlines(), start=1):
        first = first or number
        bare = _COMMENT.sub("", line)
        if bare.endswith("\\") and bare == line:
            begun += bare[:-1]
            continue
        whole = " ".join((begun + bare).split())
        if whole:
            yield first, whole
        begun, first = "", 0
    if begun.strip():
        yield first, " ".join(begun.split())


def _beside(path: str, other: str, place: str) -> str:
    """Give the path of a file that another one names."""
    if "://" in other:
        raise wrong(f"{place} includes {other}, which may change", "put a copy into the project, and name that")
    joined = PurePosixPath(path).parent / other
    try:
        parts: list[str] = []
        for part in joined.parts:
            if part == ".." and parts:
                parts.pop()
            else:
                parts.append(part)
        return str(clean_relative("/".join(parts)))
    except ValueError as error:
        raise wrong(f"{place} includes {other!r}, which is not in the project", "move it into the project") from error


def _content(folder: Path, path: str) -> str:
    try:
        content = (folder / path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise wrong(f"there is no file {path!r}", "write it, or mend the path") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise wrong(f"{path!r} cannot be read: {reason}", "make it a readable text") from None
    if "\0" in content:
        raise wrong(f"{path!r} has a NUL character in it", "make it a readable text")
    return content
