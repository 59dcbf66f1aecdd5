"""What of a project goes where its controller goes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from longshore.model.command import Shell
from longshore.model.task import FileInput, TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore_cli.away.project_files import sent_of


def test_of_a_folder_that_is_an_input_goes_what_is_not_ignored_and_what_says_so(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    project = tmp_path / "project"
    files = {".gitignore": "data/\n*.log\n.longshoreignore\n", ".longshoreignore": "*.tmp\n"}
    for path, content in {**files, "data/a": "a", "data/a.log": "a", "data/a.tmp": "a", "other.log": "a"}.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(content)
    subprocess.run(["git", "init", "-q", str(project)], check=True, timeout=120)
    task = TaskSpec(name="read", command=Shell("true"), inputs=(FileInput("data"),))

    sent = sent_of(project, WorkflowSpec(name="w", tasks=(task,)), tmp_path / "store")

    assert [item.path for item in sent.files] == [".gitignore", ".longshoreignore", "data/a", "data/a.log"]
