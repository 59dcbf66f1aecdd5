"""The keys of an environment, each with the parser of its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from longshore.config.fields import Parser, relative, text, texts
from longshore.config.problems import Mistake, Mistakes, mistakes_of, wrong
from longshore.model.environment import Requirement, Script

__all__ = ["CONSTRAIN", "ENVIRONMENT_KEYS", "INCLUDE", "refuse_local"]

INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s*=\s*|\s*)(\S.*)")
CONSTRAIN = re.compile(r"(?:-c|--constraint)(?:\s*=\s*|\s*)(\S.*)")
_VERSION = re.compile(r"3\.(\d{1,2})(?:\.\d{1,3})?")
_OLDEST = 8
_LINKS = re.compile(r"(?:-f|--find-links)(?:\s*=\s*|\s*)(\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s*=\s*|\s*)(\S.*)")
_ARCHIVE = re.compile(r"[^\s;@]+\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)(?=$|[\s;\[#])")
# What follows is given to programs as arguments: nothing of it may begin like an option.
_APT = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:[=/][A-Za-z0-9][A-Za-z0-9+.:~_-]*)?")
_CONDA = re.compile(r"(?:[A-Za-z0-9][\w./-]*::)?[A-Za-z0-9_][\w.-]*(?:[ =<>!~\[][^\x00-\x1f]*)?")
_CHANNEL = re.compile(r"[A-Za-z0-9][\w./:@%+~-]*")
_JULIA = re.compile(r"[A-Za-z_]\w*(?:@[0-9A-Za-z][\w.+-]*)?")
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*", re.IGNORECASE)
_PROJECT = "Project.toml"


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
            if INCLUDE.fullmatch(whole.strip()) or CONSTRAIN.fullmatch(whole.strip()):
                raise wrong(f"{line!r} names a file", 'give the file alone: pip = "requirements.txt"')
            refuse_local(whole.strip())
            if whole.strip():
                lines.append(Requirement(whole.strip(), "pip"))
    return tuple(lines)


def _python(value: object) -> str:
    version = text(value)
    found = _VERSION.fullmatch(version)
    if found is None or int(found[1]) < _OLDEST:
        raise wrong(f"{version!r} is no version of Python that can be asked for", 'write it as in "3.11"')
    return version


def refuse_local(line: str) -> None:
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


def _listed(key: str, pattern: re.Pattern[str], example: str) -> Parser:
    def parse(value: object) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        for each in texts(value):
            if not pattern.fullmatch(each):
                raise wrong(f"{each!r} names no package", f"write it as in {example}")
            found.append(Requirement(each, key))
        return tuple(found)

    return parse


def _matching(pattern: re.Pattern[str], what: str, example: str) -> Parser:
    def parse(value: object) -> str:
        name = text(value)
        if not pattern.fullmatch(name):
            raise wrong(f"{name!r} is no {what}", f"write it as in {example}")
        return name

    return parse


_conda_list = _listed("conda", _CONDA, '"gdal=3.9"')
_julia_list = _listed("julia", _JULIA, '"DataFrames" or "DataFrames@1.6"')
_channel = _matching(_CHANNEL, "channel", '"conda-forge"')


def _conda(value: object) -> Script | tuple[Requirement, ...]:
    if isinstance(value, str):
        return Script(name=relative(value))
    found: tuple[Requirement, ...] = _conda_list(value)
    return found


def _julia(value: object) -> tuple[Script, ...] | tuple[Requirement, ...]:
    if not isinstance(value, str):
        found: tuple[Requirement, ...] = _julia_list(value)
        return found
    project = relative(value)
    if not project.endswith(_PROJECT):
        raise wrong(f"{project!r} is no project of Julia", f'name its "{_PROJECT}", or give a list of packages')
    manifest = project.removesuffix(_PROJECT) + "Manifest.toml"
    return (Script(name=project), Script(name=manifest))


def _channels(value: object) -> tuple[str, ...]:
    return texts(value, _channel)


ENVIRONMENT_KEYS: Mapping[str, Parser] = MappingProxyType(
    {
        "path": text,
        "image": _matching(_IMAGE, "name of an image", '"docker.io/library/debian:12"'),
        "before": _script("before"),
        "apt": _listed("apt", _APT, '"gdal-bin" or "gdal-bin=3.6.2+dfsg-1"'),
        "conda": _conda,
        "channels": _channels,
        "pip": _pip,
        "python": _python,
        "julia": _julia,
        "after": _script("after"),
    }
)
