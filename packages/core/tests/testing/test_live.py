"""What would cost money does nothing unless it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.errors import UsageError
from longshore.testing import live


def test_nothing_is_rented_for_real_unless_the_provider_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHORE_LIVE", "other,another")
    assert live.wanted("another")
    with pytest.raises(UsageError, match="LONGSHORE_LIVE=aws"):
        live.play(tmp_path, "aws")
    assert os.listdir(tmp_path) == []
