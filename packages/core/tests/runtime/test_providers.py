"""The providers of a config: made when asked for, with the plugin, the options and the owner that it names."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.errors import ConfigError, PluginBroken, PluginMissing
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry

PLUGIN = """
from attrs import frozen
from longshore.plugin import ProviderRecord, Scope, Terms, hookimpl

@frozen(kw_only=True)
class Config:
    region: str = ""

class Silent:
    def __init__(self, config):
        if config.region == "broken":
            raise RuntimeError("no such place")
        self.config = config
        self.asked = 0

    terms = Terms()

    def scope(self):
        return Scope(account=f"{self.config.region or 'nowhere'}, asked {self.asked} times")

    def offers(self, needs):
        return []

    def launch(self, spec, *, token, count=1):
        return []

    def find(self, *, owner):
        return []

    def terminate(self, machine_ids):
        pass

class Telling(Silent):

    def caller(self):
        self.asked += 1
        return "ada"

@hookimpl
def longshore_providers():
    return [
        ProviderRecord(name="silent", config=Config, factory=Silent, api=(0, 1)),
        ProviderRecord(name="telling", config=Config, factory=Telling, api=(0, 1)),
    ]
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that knows two providers: one whose cloud tells who is logged in, and one whose does not."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"plugin_{secrets.token_hex(6)}"
    (tmp_path / f"{module}.py").write_text(PLUGIN)
    folder = tmp_path / "clouds-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: clouds\nVersion: 1.5\n")
    (folder / "entry_points.txt").write_text(f"[longshore]\nproviders.clouds = {module}\n")
    yield Registry()
    sys.modules.pop(module, None)


def test_a_provider_is_made_once_with_its_options_under_its_name(registry: Registry) -> None:
    providers = Providers({"lab": {"plugin": "telling", "region": "north"}, "bad": {"plugin": "nothing"}}, registry)

    lab = providers.open("lab")

    assert providers.names() == ["bad", "lab"]
    assert lab.name == "lab"
    assert lab.provider.scope().account == "north, asked 0 times"
    assert providers.open("lab") is lab


def test_a_name_without_a_table_is_that_of_a_plugin(registry: Registry) -> None:
    assert Providers({}, registry).open("silent").provider.scope().account == "nowhere, asked 0 times"


def test_the_owner_is_the_configured_one_else_who_is_logged_in(registry: Registry) -> None:
    providers = Providers({"said": {"plugin": "telling", "owner": "grace"}, "told": {"plugin": "telling"}}, registry)

    assert providers.open("said").owner == "grace"
    assert [providers.open("told").owner, providers.open("told").owner] == ["ada", "ada"]
    assert providers.open("said").provider.scope().account == "nowhere, asked 0 times"
    assert providers.open("told").provider.scope().account == "nowhere, asked 1 times"


def test_where_nobody_says_who_the_owner_is_nothing_is_found_in_his_name(registry: Registry) -> None:
    providers = Providers({"lab": {"plugin": "silent"}}, registry, places={"lab": "longshore.toml:3"})

    with pytest.raises(ConfigError, match=r"longshore.toml:3: providers.lab.owner: .*\n.*write owner = \"you\""):
        _ = providers.open("lab").owner


def test_a_mistake_in_the_options_has_its_place(registry: Registry) -> None:
    providers = Providers({"lab": {"plugin": "silent", "regoin": "n"}}, registry, places={"lab": "longshore.toml:3"})

    with pytest.raises(ConfigError, match=r"longshore.toml:3: providers.lab.regoin: .*\n.*did you mean region"):
        providers.open("lab")


def test_a_provider_that_cannot_be_made_harms_no_other(registry: Registry) -> None:
    tables = {"broken": {"plugin": "silent", "region": "broken"}, "lab": {"plugin": "silent"}}
    providers = Providers(tables, registry)

    with pytest.raises(PluginBroken, match="'silent' cannot be made: RuntimeError: no such place"):
        providers.open("broken")
    with pytest.raises(PluginMissing):
        providers.open("nowhere")
    assert providers.open("lab").name == "lab"
