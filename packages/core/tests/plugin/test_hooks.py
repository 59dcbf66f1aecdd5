"""What authors of plugins import says all that they need, and asks them for the version they built for."""

from __future__ import annotations

import pytest
from attrs import NOTHING, fields

import longshore.plugin
from longshore.plugin import (
    ExecutorRecord,
    ObserverRecord,
    ProviderRecord,
    StoreRecord,
    StrategyRecord,
    hooks,
)
from longshore.runtime.plugin_entries import PLURALS, ROLES

RECORDS = (ExecutorRecord, ObserverRecord, ProviderRecord, StoreRecord, StrategyRecord)


def test_there_is_a_hook_for_each_role() -> None:
    specified = {name for name in hooks.__all__ if name.startswith("longshore_")}

    assert specified == {f"longshore_{plural}" for plural in PLURALS}
    assert set(ROLES) == set(PLURALS.values())


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_says_for_which_version_it_was_built(record: type) -> None:
    api = next(each for each in fields(record) if each.name == "api")

    assert api.default is NOTHING


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_can_be_imported_from_one_place(record: type) -> None:
    assert getattr(longshore.plugin, record.__name__) is record
