"""The values of ``for_each``: where they are written, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longshore.config.fields import Parser, describe, encoding, mapping_of, relative, table, text, texts, whole
from longshore.config.globs import is_glob
from longshore.config.problems import hint, wrong
from longshore.config.urls import LinkedSource, host_of, is_link, is_url, path_of
from longshore.config.value_lines import unfit
from longshore.model.names import check_parameter
from longshore.model.task import ColumnsOf, FilesMatching, LinesOf, Range, Source, Values

__all__ = ["check_count", "check_values", "for_each"]

_MOST_MEMBERS = 1_000_000
"""More is a mistake in what was written, not a workload."""

_FORMS = (
    'write a list, { range = [1, 9] }, { glob = "data/*.csv" }, { lines_of = "names.txt" } '
    'or { columns_of = "file", matching = "Power.*" }'
)
_RANGE_BOUNDS = (2, 3)


def for_each(value: object) -> tuple[tuple[str, Source | LinkedSource], ...]:
    """Read the parameters of a task, in their order."""
    parameters = mapping_of(_parameter, _source)(value)
    if not parameters:
        raise wrong("for_each has no parameter", "write for_each.year = [2001, 2002], or leave it out")
    for name, source in parameters.items():
        if isinstance(source, ColumnsOf):
            _check_columns(name, source, parameters)
    # What depends on others stands behind them.
    return tuple(sorted(parameters.items(), key=lambda item: isinstance(item[1], ColumnsOf)))


def _check_columns(name: str, source: ColumnsOf, parameters: Mapping[str, object]) -> None:
    of = source.parameter
    named = parameters.get(of)
    lines = isinstance(named, LinkedSource) and named.lines
    if named is None or lines or isinstance(named, ColumnsOf | Range):
        others = [each for each in parameters if each != name]
        remedy = hint(of, others, f'add it, as in for_each.{of} = {{ glob = "data/*.csv" }}')
        raise wrong(f"no parameter {of!r} of this task names files", remedy, (name, "columns_of"))


def check_count(sources: Iterable[object], repeat: int) -> None:
    """Refuse so many members that listing them would stop the computer; sources that are not read yet count as one.

    Raises:
        Mistakes: with the number.
    """
    count = repeat
    for source in sources:
        match source:
            case Values(values):
                count *= len(values)
            case Range(first=first, last=last, step=step):
                count *= (last - first) // step + 1
            case ColumnsOf(found=found) if found:
                count = count * sum(1 if isinstance(each, str) else len(each) for each in found.values()) // len(found)
            case _:
                pass
    if count > _MOST_MEMBERS:
        raise wrong(f"these values make {count:,} tasks; {_MOST_MEMBERS:,} are the most", "give fewer values")


def check_values(values: Sequence[str]) -> None:
    """Refuse values that would make no task, two tasks of one name, or one that no variable can hold.

    Raises:
        Mistakes: for the first of them.
    """
    if not values:
        raise wrong("there are no values, so there would be no task", "give at least one")
    if len(set(values)) < len(values):
        seen: set[str] = set()
        double = next(value for value in values if value in seen or seen.add(value))  # type: ignore[func-returns-value]
        raise wrong(f"the value {double!r} stands there twice", "take one away; use repeat to run a task several times")
    if reason := next(filter(None, map(unfit, values)), ""):
        raise wrong(f"a value has {reason}", "take it out, or put it into a file")


def _parameter(value: object) -> str:
    return check_parameter(text(value))


def _source(value: object) -> Source | LinkedSource:
    match value:
        case range():
            return _range_of(value)
        case Mapping():
            return _source_table(value)
        case list() | tuple():
            return _values(value)
        case _:
            raise wrong(f"{describe(value)} gives no values", _FORMS)


def _source_table(value: Mapping[str, Any]) -> Source | LinkedSource:
    words = table(value, _SOURCE_KEYS, '{ glob = "data/*.csv" }')
    first = words.pop("first", None)
    if "columns_of" in words:
        return _columns(words, first)
    about = next((key for key in ("matching", "encoding") if key in words), None)
    if about is not None:
        raise wrong(f"{about!r} goes with 'columns_of' only", "take it out", (about,))
    if len(words) != 1:
        raise wrong("the values come from one place", _FORMS)
    ((form, source),) = words.items()
    if first is not None and form != "glob":
        raise wrong("'first' goes with 'glob' only", f"take it out, or shorten {form} itself", ("first",))
    if form == "glob":
        is_linked = is_link(source)
        return LinkedSource(source, lines=False, first=first) if is_linked else FilesMatching(glob=source, first=first)
    if form == "lines_of":
        return LinkedSource(source, lines=True) if is_link(source) else LinesOf(source)
    assert isinstance(source, Values | Range)
    return source


def _columns(words: Mapping[str, Any], first: int | None) -> ColumnsOf:
    stray = next((key for key in words if key not in _COLUMN_KEYS), None) or ("first" if first is not None else None)
    if stray is not None:
        raise wrong(f"{stray!r} does not go with 'columns_of'", "take it out", (stray,))
    if "matching" not in words:
        raise wrong("nothing says which columns are meant", 'add matching = "Power.*"; ".*" means all', ("columns_of",))
    return ColumnsOf(parameter=words["columns_of"], matching=words["matching"], encoding=words.get("encoding", "utf-8"))


def _pattern(value: object) -> str:
    pattern = text(value)
    try:
        re.compile(pattern)
    except re.error as error:
        raise wrong(f"{pattern!r} is no regular expression: {error}", 'write it as in "Power.*"') from None
    return pattern


def _values(value: object) -> Values:
    if isinstance(value, list | tuple) and set(map(type, value)) == {str}:  # 100,000 of them are checked in one go
        values = tuple(value)
    else:
        values = texts(value, _value)
    check_values(values)
    return Values(values)


def _value(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(f"{describe(value)} cannot be a value", 'write text or numbers; quote the rest, as in "true"')
    return str(value)


def _range(value: object) -> Range:
    bounds = texts(value, whole(-(2**62)))
    if len(bounds) not in _RANGE_BOUNDS:
        raise wrong(
            f"a range has a first and a last number, and maybe a step, not {len(bounds)} numbers",
            "write it as in [2001, 2020]",
        )
    first, last, step = (*bounds, 1)[:3]
    if step < 1:
        raise wrong(f"the step {step} is too small", "write 1 or more")
    if last < first:
        raise wrong(
            f"the range from {first} to {last} is empty", "put the smaller number first; both ends are included"
        )
    return _tidy(range(first, last + 1, step))


def _range_of(values: range) -> Range:
    if values.step < 1 or not values:
        raise wrong(f"{values} gives no rising numbers", "write it as in range(2001, 2021)")
    return _tidy(values)


def _tidy(values: range) -> Range:
    # One value for one meaning: 1 to 9 by 3 ends at 7, and a single number has no step.
    return Range(first=values[0], last=values[-1], step=values.step if values[0] != values[-1] else 1)


def _glob(value: object) -> str:
    glob = text(value)
    if not is_url(glob) or is_link(glob):
        return _file(value)
    if is_glob(host_of(glob)) or not path_of(glob):
        raise wrong(f"{glob!r} does not name a bucket and what in it is meant", 'write it as in "s3://my-bucket/*.csv"')
    return glob


def _file(value: object) -> str:
    path = text(value)
    return path if is_link(path) else relative(path).removesuffix("/")


_SOURCE_KEYS: dict[str, Parser] = {
    "values": _values,
    "range": _range,
    "glob": _glob,
    "first": whole(1),
    "lines_of": _file,
    "columns_of": _parameter,
    "matching": _pattern,
    "encoding": encoding,
}
_COLUMN_KEYS = ("columns_of", "matching", "encoding")
