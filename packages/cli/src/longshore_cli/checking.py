"""Contracts of installed plugins, run from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longshore_cli.output import paint
from longshore_cli.text import clean, table

if TYPE_CHECKING:
    from longshore.testing.checking import Verdict

__all__ = ["plugin_options", "role_of", "run_contract", "score"]

_DETAIL_CHARACTERS = 300


def role_of(name: str) -> tuple[str, str]:
    """Tell the role of a plugin and its bare name.

    Raises:
        UsageError: when plugins of several roles have the name.
        PluginMissing: when none has it.
    """
    from longshore.errors import PluginMissing, UsageError
    from longshore.runtime.plugin_entries import ROLES
    from longshore_cli.plugins import installed

    role, point, bare = name.partition(".")
    if point and role in ROLES:
        return role, bare
    roles = sorted({each.role for each in installed() if each.name == name})
    if not roles:
        raise PluginMissing(
            f"no plugin {name!r} is installed; `longshore plugins` lists them, and one of a "
            f"distribution with several is named with its role, as in strategy.{name}"
        )
    if len(roles) > 1:
        words = " or ".join(f"`longshore plugins check {role}.{name}`" for role in roles)
        raise UsageError(f"{len(roles)} plugins are called {name!r}; say which one: {words}")
    return roles[0], name


def plugin_options(options: Sequence[str]) -> Mapping[str, Any]:
    """Read ``KEY=VALUE`` as TOML does; what is no TOML is text.

    Raises:
        UsageError: when there is no ``=``.
    """
    import tomllib

    from longshore.errors import UsageError

    read: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise UsageError(f"--option {option}: write KEY=VALUE")
        try:
            read[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            read[key.strip()] = value
    return read


def run_contract(
    role: str, name: str, options: Mapping[str, Any], url: str, without: Sequence[str]
) -> Sequence[Verdict]:
    """Run the contract.

    Raises:
        UsageError: also when the kit is not installed.
    """
    from longshore.errors import UsageError

    try:
        from longshore.testing.checking import check_plugin
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the kit for plugin authors needs {error.name}; `pip install 'longshore-core[testing]'` brings it"
        ) from error
    return check_plugin(role, name, options, url=url, without=without)


def score(verdicts: Sequence[Verdict]) -> str:
    """Show how each law fared, then what is wrong."""
    laws = list(dict.fromkeys(each.law for each in verdicts))
    rows = []
    for law in laws:
        own = [each for each in verdicts if each.law == law]
        tried = [each for each in own if each.outcome != "skipped"]
        passed = sum(each.outcome == "passed" for each in tried)
        state = "skipped" if not tried else "ok" if passed == len(tried) else "broken"
        rows.append([law, state, f"{passed}/{len(tried)}", own[0].says])
    lines = [table(rows, ["LAW", "STATE", "TESTS", "SAYS"])]
    notable = [each for each in verdicts if each.outcome != "passed"]
    for line, kind in dict.fromkeys((_told(each), each.outcome) for each in notable):
        lines.append(paint(line, "bad" if kind == "failed" else "warning"))
    return "\n".join(lines)


def _told(verdict: Verdict) -> str:
    return f"{verdict.law} {verdict.outcome}: {clean(verdict.detail)[:_DETAIL_CHARACTERS]}"
