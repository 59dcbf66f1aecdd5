"""Copies of the examples' projects, and what goes wrong in them."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["copied", "fail_once"]


def copied(example: Path, to: Path) -> Path:
    """Copy an example's workflow and its text."""
    for name in ("longshore.toml", "words.txt"):
        shutil.copy(example / name, to)
    return to


def fail_once(folder: Path) -> None:
    """Let the last task fail when it is run the first time, and the first one leave a trace each time."""
    file = folder / "longshore.toml"
    text = file.read_text().replace('"split', f'"echo x >> {folder}/cuts; split')
    file.write_text(text.replace('"awk', f'"mkdir {folder}/tried && exit 3; awk'))
