from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIMITS = Path(__file__).resolve().parent.parent / "limits"


@pytest.mark.parametrize("words", [("spawn_loop.py", "30", "2"), ("spawn_loop.py", "5", "1"), ("call_pool.py", "50")])
def test_a_limit_says_by_its_exit_code_that_all_was_done(words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, str(LIMITS / words[0]), *words[1:]], timeout=60, check=False)
    assert done.returncode == 0
