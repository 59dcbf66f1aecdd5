from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_cli.testing.browser import Tab, browser
from longshore_cli.testing.harness import new_project

from .serving import Served, serving

HOSTILE = "</pre></script><script>document.title = 'taken'</script><img src=http://192.0.2.1/x onerror=alert(1)>"
WORKFLOW = """\
name = "mixed"

[tasks.prepare]
command = "echo one > x; cat words; cat words >&2; seq 1 40000"
inputs = ["words"]
outputs = ["x"]

[tasks.fit]
for_each.n = { range = [1, 250] }
command = "test $n != 2 || { cat words >&2; exit 3; }; echo $n > y"
inputs = ["words"]
outputs = ["y"]
after = ["prepare"]

[tasks.all]
command = "cat workflow:///fit/*/y"
"""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A run that is over, in which something hostile was written and something failed."""
    with new_project(tmp_path_factory.mktemp("served")) as project:
        project.write(WORKFLOW)
        project.write(f"\x1b]0;taken\x07so \x1b[31mit is\n{HOSTILE}\n", "words")
        project.call("run", code=1)
        with serving(project) as found:
            yield found


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")
