from __future__ import annotations

from pathlib import Path

import pytest

from environments import Environments, fingerprint_of
from measure import NotMeasured


def test_an_environment_is_made_once_and_anew_when_its_sources_have_changed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "code.py").write_text("1")
    environments = Environments(tmp_path / "venvs")

    def programs() -> Path:
        return environments.programs("empty", ["pip"], fingerprint=fingerprint_of([source]))

    mark = programs() / "mark"
    mark.touch()
    programs()
    assert mark.exists()
    (source / "code.py").write_text("2")
    programs()
    assert not mark.exists()


def test_what_does_not_install_is_refused_with_pips_reason_and_not_tried_again(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    with pytest.raises(NotMeasured, match=r"did not install: ERROR: .*nowhere") as first:
        environments.programs("broken", ["./nowhere"])
    (tmp_path / "broken.log").unlink()
    with pytest.raises(NotMeasured) as second:
        environments.programs("broken", ["./nowhere"])
    assert str(second.value) == str(first.value)
    assert not (tmp_path / "broken.log").exists()
