"""What may be called what: names that users give, file names made of values, near matches, and relative paths."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from attrs import define, field

__all__ = ["DistinctNames", "check_name", "check_parameter", "clean_relative", "file_safe", "member_name", "near"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAME_LENGTH = 100
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
_NAME_RULE = "use letters (a-z, A-Z), digits, '_', '.' and '-', and begin with a letter, a digit or '_'"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What shells, the dynamic linker, Python and Longshore itself read; a value there would change more than the command.
_TAKEN_VARIABLES = frozenset(
    """
    BASH BASHOPTS BASH_ENV CDPATH CUDA_VISIBLE_DEVICES ENV EUID FCEDIT FUNCNAME GLOBIGNORE GROUPS HOME HOSTNAME IFS
    LANG LANGUAGE LINENO LOGNAME MAIL MAILCHECK MAILPATH OLDPWD OMP_NUM_THREADS OPTARG OPTERR OPTIND PATH
    POSIXLY_CORRECT PPID PS1 PS2 PS3 PS4 PWD PYTHONHOME PYTHONPATH PYTHONSTARTUP RANDOM SECONDS SHELL SHELLOPTS
    SHLVL TERM TMPDIR TZ UID USER _
    """.split()
)
_TAKEN_PREFIXES = ("BASH_FUNC_", "DYLD_", "LC_", "LD_", "LONGSHORE_")

_FILE_SAFE = re.compile(r"[A-Za-z0-9_+=@](?:[A-Za-z0-9._+=@-])*")
_UNSAFE_BYTE = re.compile(rb"^[.-]|[^A-Za-z0-9._+=@-]")
_FILE_NAME_LENGTH = 120
_EMPTY = "%empty"  # no other value gives it: elsewhere "%" is followed by digits and capitals
_HASH_LENGTH = 16

_MOST_COMPARED = 5_000
_SPELT = "abcdefghijklmnopqrstuvwxyz0123456789_.-=,[]"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def check_name(name: str, kind: str = "name") -> str:
    """Give back the name of a workflow, task, pool or environment if it is a good one.

    ``kind`` is the word for it in the error.

    Raises:
        ValueError: says which rule it breaks, and a name near it that would do.
    """
    if not name:
        raise ValueError(f"a {kind} must not be empty; {_NAME_RULE}")
    if len(name) > _NAME_LENGTH:
        raise ValueError(f"the {kind} {_shown(name)} has {len(name)} characters; {_NAME_LENGTH} are the most")
    if _NAME.fullmatch(name):
        return name
    better = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".-")
    hint = f"; {better!r} would do" if _NAME.fullmatch(better) and better.strip("_") else ""
    raise ValueError(f"{_shown(name)} is no good {kind}: {_NAME_RULE}{hint}")


def check_parameter(name: str) -> str:
    """Give back the name of a parameter if it can be an environment variable that nothing else depends on.

    Raises:
        ValueError: says which rule it breaks and what to do.
    """
    check_name(name, "parameter name")
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            f"{_shown(name)} is no good parameter name: the command sees it as a variable, so use letters, digits and "
            f"'_', and begin with a letter or '_'; {_as_variable(name)!r} would do"
        )
    if name in _TAKEN_VARIABLES or name.startswith(_TAKEN_PREFIXES):
        better = name.lower().strip("_") or "value"
        raise ValueError(f"the parameter {name!r} would overwrite a variable that programs depend on; use {better!r}")
    return name


def _as_variable(name: str) -> str:
    better = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{better}" if better[0].isdigit() else better


def file_safe(value: str) -> str:
    """Name a value so that it can be a file's name anywhere, different values differently.

    Letters, digits and ``_ + = @ . -`` stay, the rest (and a ``.`` or ``-`` at the beginning) becomes ``%`` and its
    UTF-8 bytes in hex; what would exceed 120 characters is cut and ends in ``~`` and a part of its SHA-256. Never
    empty, never ``.`` or ``..``.
    """
    return _cut(_encode(value))


def member_name(values: Sequence[str]) -> str:
    """Name one member of a ``for_each`` by its parameters' values: what `file_safe` makes of each, joined by commas.

    Raises:
        ValueError: when there are no values.
    """
    if not values:
        raise ValueError("a member of a for_each has at least one value")
    return _cut(",".join(map(_encode, values)))


def _encode(value: str) -> str:
    if _FILE_SAFE.fullmatch(value):
        return value
    # surrogatepass: a file name that is not UTF-8 reaches us with lone surrogates, and must have a name too.
    encoded = _UNSAFE_BYTE.sub(lambda found: b"%%%02X" % found.group()[0], value.encode("utf-8", "surrogatepass"))
    return encoded.decode("ascii") or _EMPTY


def _cut(encoded: str) -> str:
    if len(encoded) <= _FILE_NAME_LENGTH:
        return encoded
    digest = hashlib.sha256(encoded.encode("ascii")).hexdigest()[:_HASH_LENGTH]
    return f"{encoded[: _FILE_NAME_LENGTH - _HASH_LENGTH - 1]}~{digest}"


def near(name: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """List at most ``limit`` candidates that ``name`` may be a misspelling of, the likeliest first.

    Capitals do not matter. Of very many candidates only those with one character more, less or other are found, since
    a hint must not cost more than the work.
    """
    folded: dict[str, list[str]] = {}
    for each in sorted(set(candidates)):
        folded.setdefault(each.casefold(), []).append(each)
    wanted = name.casefold()
    found: Iterable[str]
    if len(folded) <= _MOST_COMPARED:
        import difflib  # noqa: PLC0415  only mistakes need it

        found = difflib.get_close_matches(wanted, folded, n=limit)
    else:
        found = (spelling for spelling in dict.fromkeys(_spellings(wanted)) if spelling in folded)
    return [each for spelling in found for each in folded[spelling]][:limit]


def _spellings(name: str) -> Iterator[str]:
    """Write a name with at most one mistake: two characters exchanged, one too many, one missing, one wrong."""
    yield name
    places = range(len(name) + 1)
    for place in places:
        yield name[:place] + name[place + 1 : place + 2] + name[place : place + 1] + name[place + 2 :]
    for place in places:
        yield name[:place] + name[place + 1 :]
    for place in places:
        for char in _SPELT:
            yield name[:place] + char + name[place:]
            yield name[:place] + char + name[place + 1 :]


@define
class DistinctNames:
    """Gives each text a name of letters, digits, ``_``, ``.`` and ``-``, always the same one, and no two the same."""

    _given: dict[str, str] = field(factory=dict[str, str], init=False)
    _taken: set[str] = field(factory=set[str], init=False)

    def of(self, text: str) -> str:
        """Give the name of a text."""
        known = self._given.get(text)
        if known is None:
            plain = _NOT_IN_NAMES.sub("_", text).lstrip(".-")[:_NAME_LENGTH] or "unnamed"
            known, number = plain, 1
            while known in self._taken:
                number += 1
                known = f"{plain}-{number}"
            self._given[text] = known
            self._taken.add(known)
        return known


def clean_relative(path: str) -> PurePosixPath:
    """Give a path inside a folder as a value, without ``.`` and double slashes.

    Spaces, quotes and any letters are welcome.

    Raises:
        ValueError: when it is empty, absolute, leads out by ``..``, or has characters that no list of files can show.
    """
    if not path:
        raise ValueError("the path is empty; name a file or folder, as in 'model.json' or 'plots/all.png'")
    control = _CONTROL.search(path)
    if control is not None:
        raise ValueError(f"the path {_shown(path)} has a control character ({control.group()!r}); rename the file")
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise ValueError(f"the path {_shown(path)} is not valid Unicode; rename the file")
    clean = PurePosixPath(path)
    if clean.is_absolute():
        raise ValueError(
            f"the path {_shown(path)} is absolute; write it relative to its folder, as in {clean.name or 'out'!r}"
        )
    if ".." in clean.parts:
        raise ValueError(f"the path {_shown(path)} leads out of its folder by '..'; name something inside it")
    if not clean.parts:
        raise ValueError(f"the path {_shown(path)} names the folder itself; name a file or folder inside it")
    return clean


def _shown(text: str) -> str:
    return repr(text if len(text) <= _FILE_NAME_LENGTH else f"{text[: _FILE_NAME_LENGTH - 3]}...")
