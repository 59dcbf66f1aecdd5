"""Plugins' options: tables from the workflow file turned into a plugin's config class, strictly.

Nothing is coerced (``"4"`` is no number), unknown keys are refused with near matches, and all mistakes are told at
once.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
    StructureHandlerNotFoundError,
)

from longshore.config.fields import describe
from longshore.errors import ConfigError, PluginBroken, Problem
from longshore.model.names import near
from longshore.model.quantity import parse_duration

__all__ = ["structure"]

_TELLING = (ForbiddenExtraKeysError, KeyError)
"""Errors about a whole table that name the key themselves."""

_Config = TypeVar("_Config")

_SERIES: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: tuple,
    collections.abc.Set: frozenset,
}


def structure(
    config: type[_Config], values: Mapping[str, Any], key: str, *, place: str = "", plugin: str = ""
) -> _Config:
    """Make a config class's instance of a table's values.

    Raises:
        ConfigError: with every mistake in the values, each under ``key``.
        PluginBroken: when no values could ever do, since the class itself is wrong; ``plugin`` says whose it is.
    """
    try:
        return _converter().structure(dict(values), config)
    except BaseValidationError as error:
        leaves = list(_leaves(error, key))
        if any(isinstance(leaf, StructureHandlerNotFoundError) for _, leaf in leaves):
            raise _broken(config, plugin, error) from error
        unread = list(_unread(config, values, key))
        if unread:
            leaves = [(where, leaf) for where, leaf in leaves if where != key or isinstance(leaf, _TELLING)] + unread
        problems = [problem for where, leaf in leaves for problem in _problems(place, where, leaf)]
        raise ConfigError(problems) from error
    except Exception as error:
        raise _broken(config, plugin, error) from error


def _unread(config: type, values: Mapping[str, Any], key: str) -> Iterator[tuple[str, Exception]]:
    """Give the mistakes that the converters and validators of fields find; they are run by the class, which does not
    say of which field.
    """
    for each in attrs.fields(cast("type[attrs.AttrsInstance]", config)):
        if each.name in values:
            error = _refusal(each, values[each.name])
            if error is not None:
                yield f"{key}.{each.name}" if key else each.name, error


def _refusal(field: attrs.Attribute[Any], value: Any) -> Exception | None:
    """Give what a field's converter or validator has against a value of the right type; the wrong type is told
    already.
    """
    convert: Callable[[Any], Any] | None = cast("Any", field.converter)
    try:
        read = value if convert else _converter().structure(value, field.type or object)
    except Exception:  # noqa: BLE001 - whatever the type's hook raises
        return None
    try:
        if convert:
            read = convert(value)
        if field.validator is not None:
            field.validator(cast("attrs.AttrsInstance", None), field, read)
    except (TypeError, ValueError) as error:
        return error
    except Exception:  # noqa: BLE001 - a validator that looks at other fields too; what it says is told of all of them
        return None
    return None


def _broken(config: type, plugin: str, error: Exception) -> PluginBroken:
    whose = f"{plugin}: " if plugin else ""
    return PluginBroken(f"{whose}its options cannot be read into {config.__module__}.{config.__qualname__}: {error}")


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=True)
    for kind, words in ((bool, "true or false"), (int, "a whole number"), (str, "text")):
        converter.register_structure_hook(kind, _exactly(kind, words))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(timedelta, lambda value, _: parse_duration(value))
    converter.register_structure_hook(Path, lambda value, _: Path(_text(value)))
    converter.register_structure_hook(PurePosixPath, lambda value, _: PurePosixPath(_text(value)))
    converter.register_structure_hook_factory(_is_series, lambda kind: _series(kind, converter))
    return converter


def _exactly(kind: type, words: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{words} is wanted, not {describe(value)}")
        return value

    return check


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"a number is wanted, not {describe(value)}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is wanted, not {describe(value)}")
    return value


def _is_series(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin is tuple:
        return get_args(kind)[1:] in {(), (...,)}
    return origin in _SERIES


def _series(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Read a list. By hand, since cattrs would take text for a list of characters."""
    element = (get_args(kind) or (Any,))[0]
    build = _SERIES[get_origin(kind) or kind]

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"a list is wanted, not {describe(value)}")
        items: list[Any] = []
        errors: list[Exception] = []
        for index, item in enumerate(value):
            try:
                items.append(converter.structure(item, element))
            except Exception as error:  # noqa: BLE001 - whatever the element's hook raises is one mistake of the list
                error.add_note(IterableValidationNote("", index, element))
                errors.append(error)
        if errors:
            raise IterableValidationError("", errors, kind)
        return build(items)

    return read


def _leaves(error: Exception, key: str) -> Iterator[tuple[str, Exception]]:
    """Give each single mistake with the key that it is under."""
    if not isinstance(error, BaseValidationError):
        yield key, error
        return
    for each in error.exceptions:
        where = key
        for note in getattr(each, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                where = f"{key}.{note.name}" if key else note.name
            elif isinstance(note, IterableValidationNote):
                where = f"{key}[{note.index}]"
        yield from _leaves(each, where)


def _problems(place: str, key: str, error: Exception) -> Iterator[Problem]:
    if isinstance(error, ForbiddenExtraKeysError):
        known = sorted(field.name for field in attrs.fields(error.cl) if field.init)
        for name in sorted(error.extra_fields):
            close = near(name, known)
            remedy = (
                f"did you mean {' or '.join(close)}?"
                if close
                else f"known keys: {', '.join(known)}"
                if known
                else "it has no options"
            )
            yield Problem(
                place=place, key=f"{key}.{name}" if key else name, message="there is no such option", remedy=remedy
            )
    elif isinstance(error, KeyError):
        yield Problem(place=place, key=key, message="is missing", remedy="give it a value")
    else:
        yield Problem(place=place, key=key, message=str(error.args[0]) if error.args else str(error))
