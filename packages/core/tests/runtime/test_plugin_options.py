"""Options of plugins are read strictly, and every mistake is told with its key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import field, frozen
from attrs.validators import ge

from longshore.errors import ConfigError, PluginBroken
from longshore.model.quantity import parse_size
from longshore.runtime.plugin_options import structure


@frozen(kw_only=True)
class Host:
    name: str
    port: int = 22


@frozen(kw_only=True)
class Options:
    user: str
    cpus: float = field(default=1.0, validator=ge(0))
    compress: bool = False
    memory_bytes: int = field(default=0, converter=parse_size)
    idle: timedelta = timedelta(minutes=5)
    key: Path | None = None
    mode: Literal["fast", "safe"] = "safe"
    tags: tuple[str, ...] = ()
    hosts: Sequence[Host] = ()


def test_every_kind_of_option_is_read() -> None:
    values = {
        "user": "ada",
        "cpus": 2,
        "compress": True,
        "memory_bytes": "4 GiB",
        "idle": "1 h 30 min",
        "key": "~/.ssh/id",
        "mode": "fast",
        "tags": ["a", "b"],
        "hosts": [{"name": "one"}, {"name": "two", "port": 2222}],
    }

    assert structure(Options, values, "pools.lab") == Options(
        user="ada",
        cpus=2.0,
        compress=True,
        memory_bytes=4 << 30,
        idle=timedelta(minutes=90),
        key=Path("~/.ssh/id"),
        mode="fast",
        tags=("a", "b"),
        hosts=(Host(name="one"), Host(name="two", port=2222)),
    )


def problems_of(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        structure(Options, values, "pools.lab", place="longshore.toml")
    assert {problem.place for problem in caught.value.problems} == {"longshore.toml"}
    return {problem.key: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("user", 4, "text is wanted, not the whole number 4"),
        ("cpus", "2", "a number is wanted, not the text '2'"),
        ("cpus", True, "a number is wanted, not true"),
        ("compress", 1, "true or false is wanted, not the whole number 1"),
        ("memory_bytes", "4 Gigs", "unknown unit 'Gigs'"),
        ("idle", "5", "has no unit"),
        ("key", 5, "text is wanted"),
        ("tags", "ab", "a list is wanted, not the text 'ab'"),
        ("hosts", {"name": "one"}, "a list is wanted, not a table"),
    ],
)
def test_nothing_is_coerced(key: str, value: object, message: str) -> None:
    problems = problems_of({"user": "ada", key: value})

    assert list(problems) == [f"pools.lab.{key}"]
    assert message in problems[f"pools.lab.{key}"]


def test_all_mistakes_are_told_at_once_however_deep() -> None:
    problems = problems_of({"cpus": "2", "hosts": [{"name": "one"}, {"nam": "two", "port": "x"}], "colour": "red"})

    assert set(problems) == {
        "pools.lab.user",
        "pools.lab.cpus",
        "pools.lab.hosts[1].name",
        "pools.lab.hosts[1].nam",
        "pools.lab.hosts[1].port",
        "pools.lab.colour",
    }
    assert problems["pools.lab.user"] == "is missing"


def test_a_value_that_the_class_refuses_is_told_in_its_words() -> None:
    assert "'cpus' must be >= 0" in problems_of({"user": "ada", "cpus": -1})["pools.lab.cpus"]


def test_a_class_that_nothing_could_fill_is_the_plugins_fault() -> None:
    @frozen
    class Odd:
        thing: object
        what: "Undefined"  # type: ignore[name-defined]  # noqa: F821, UP037 - the mistake that is tested

    with pytest.raises(PluginBroken, match=r"plugin executor\.odd of odd: its options cannot be read into .*Odd"):
        structure(Odd, {"thing": 1, "what": 2}, "pools.lab", plugin="plugin executor.odd of odd")
