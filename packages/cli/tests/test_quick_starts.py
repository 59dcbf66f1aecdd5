"""One vocabulary for all clouds: the first workflow of each cloud's page is the same but for how to reach it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

_PAGES = Path(__file__).resolve().parents[3] / "docs" / "how-to"
_FIRST = re.compile(r'```toml title="\w+/longshore\.toml"\n(.*?)```', re.DOTALL)


def first_of(page: str) -> tuple[str, dict[str, Any]]:
    """Give the plugin that a page's first workflow names, and the workflow without its table of providers."""
    found = _FIRST.search((_PAGES / page).read_text(encoding="utf-8"))
    assert found is not None
    workflow = tomllib.loads(found[1])
    [provider] = workflow.pop("providers").values()
    return provider["plugin"], workflow


@pytest.mark.parametrize("page", ["azure.md", "digitalocean.md", "google-cloud.md"])
def test_the_first_workflow_of_another_cloud_differs_in_the_providers_table_alone(page: str) -> None:
    (name, workflow), (aws, known) = first_of(page), first_of("aws.md")
    assert name != aws
    assert workflow == known


@pytest.mark.parametrize("page", ["aws.md", "azure.md", "digitalocean.md", "google-cloud.md"])
def test_each_page_says_what_its_provider_was_tested_against_and_what_not_yet(page: str) -> None:
    words = " ".join((_PAGES / page).read_text(encoding="utf-8").split())
    assert "against a stand-in" in words
    assert re.search(r"It has not rented from the real \w+", words)
