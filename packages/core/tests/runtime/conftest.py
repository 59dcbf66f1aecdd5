"""Plugins for these tests, real distributions where Python finds them; and a computer that no other tests share."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEADER = """
from attrs import field, frozen
from attrs.validators import ge
from longshore.plugin import ExecutorRecord, ObserverRecord, ProviderRecord, StoreRecord, StrategyRecord, hookimpl

@frozen(kw_only=True)
class Config:
    size: int = field(default=1, validator=ge(1))

class Maker:
    def __init__(self, config):
        self.config = config

    def assign(self, waiting, machines, now):
        return []

def strategy(name, **changes):
    return StrategyRecord(**{"name": name, "config": Config, "factory": Maker, "api": (0, 1), **changes})
"""

Install = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def _own_computer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no run of other tests, in processes beside this one, have a part of what this computer has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("computer")))
        yield


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put distributions where Python finds them: real metadata, real modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def put(distribution: str, entry: str, code: str, *, attribute: str = "") -> str:
        module = f"plugin_{secrets.token_hex(6)}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(HEADER + code)
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        with (folder / "entry_points.txt").open("a") as file:
            file.write(f"[longshore]\n{entry} = {module}{attribute}\n" if file.tell() == 0 else f"{entry} = {module}\n")
        return module

    yield put
    for module in modules:
        sys.modules.pop(module, None)
