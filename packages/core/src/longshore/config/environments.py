"""Environments as they are written, and as they are when their scripts and requirements have been read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from attrs import define, evolve, field

from longshore.config.fields import Parser, describe, relative, table, text, texts
from longshore.config.problems import Mistake, Mistakes, Problems, mistakes_of, wrong
from longshore.model.environment import EnvironmentSpec, Requirement, Script
from longshore.model.names import check_name, clean_relative

__all__ = ["environment", "read_environment"]

_VERSION = re.compile(r"3\.(\d{1,2})(?:\.\d{1,3})?")
_OLDEST = 8
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s*=\s*|\s*)(\S.*)")
_CONSTRAIN = re.compile(r"(?:-c|--constraint)(?:\s*=\s*|\s*)(\S.*)")
_LINKS = re.compile(r"(?:-f|--find-links)(?:\s*=\s*|\s*)(\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s*)(\S.*)")
_ARCHIVE = re.compile(r"[^\s;@]+\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)(?=$|[\s;\[#])")
_MOST_DEEP = 20


def _script(key: str) -> Parser:
    def parse(value: object) -> Script:
        script = text(value)
        if script.split() != [script]:
            return Script(name=key, text=script)
        try:
            return Script(name=relative(script))
        except ValueError as error:
            remedy = "one word names a file of the project; write a script as more than one word"
            raise Mistakes(*(Mistake(each.below, each.message, remedy) for each in mistakes_of(error))) from error

    return parse


def _pip(value: object) -> str | tuple[Requirement, ...]:
    if isinstance(value, str):
        return relative(value)
    lines: list[Requirement] = []
    for line in texts(value):
        for whole in line.splitlines():
            if _INCLUDE.fullmatch(whole.strip()) or _CONSTRAIN.fullmatch(whole.strip()):
                raise wrong(f"{line!r} names a file", 'give the file alone: pip = "requirements.txt"')
            _refuse_local(whole.strip())
            if whole.strip():
                lines.append(Requirement(whole.strip(), "pip"))
    return tuple(lines)


def _python(value: object) -> str:
    version = text(value)
    found = _VERSION.fullmatch(version)
    if found is None or int(found[1]) < _OLDEST:
        raise wrong(f"{version!r} is no version of Python that can be asked for", 'write it as in "3.11"')
    return version


_KEYS: dict[str, Parser] = {
    "before": _script("before"),
    "pip": _pip,
    "python": _python,
    "after": _script("after"),
}


def environment(name: str, value: object) -> EnvironmentSpec:
    """Read one table of ``[environments]``."""
    check_name(name, "environment name")
    if not isinstance(value, Mapping):
        raise wrong(
            f"{describe(value)} stands where a table is needed", f"write [environments.{name}] and the keys below it"
        )
    words = table(value, _KEYS, '{ pip = ["numpy"] }')
    pip = words.pop("pip", ())
    return EnvironmentSpec(name=name, **words, **({"pip_file": pip} if isinstance(pip, str) else {"pip": pip}))


def read_environment(spec: EnvironmentSpec, folder: Path, problems: Problems) -> EnvironmentSpec:
    """Put what stands in the project's files now in the place of their names."""
    key = ("environments", spec.name)

    def read(step: str, script: Script | None) -> Script | None:
        if script is None or script.text is not None:
            return script
        try:
            return evolve(script, text=_content(folder, script.name))
        except ValueError as error:
            problems.take((*key, step), error)
            return script

    lines = _Lines(folder)
    if spec.pip_file:
        try:
            lines.read(spec.pip_file)
        except ValueError as error:
            problems.take((*key, "pip"), error)
    return evolve(
        spec,
        before=read("before", spec.before),
        after=read("after", spec.after),
        pip=(*spec.pip, *lines.pip),
        constraints=(*spec.constraints, *lines.constraints),
        pip_file="",
    )


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
            included = _INCLUDE.fullmatch(line)
            constrained = _CONSTRAIN.fullmatch(line)
            place = f"{path} line {number}"
            if included or constrained:
                other = (included or constrained or [""])[1]
                self.read(_beside(path, other, place), constraining=constraining or constrained is not None)
                continue
            try:
                _refuse_local(line)
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


def _refuse_local(line: str) -> None:
    """Refuse what is meant relative to a folder of this computer: on another machine it would be something else."""
    for pattern in (_EDITABLE, _LINKS):
        found = pattern.fullmatch(line)
        if found:
            path = found[1]
            local = not (path.startswith(("/", "git+", "file:/")) or "://" in path)
            break
    else:
        path = line.split(maxsplit=1)[0] if line else ""
        archive = _ARCHIVE.match(line)
        local = path.startswith(("./", "../", "~")) or path in (".", "..") or (archive is not None and path[0] != "/")
        local = local and "://" not in path
    if local:
        message = f"{path!r} is a path of this computer, which no other machine has"
        raise wrong(message, "name a package of an index, a URL, or an absolute path that the machines have")


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
