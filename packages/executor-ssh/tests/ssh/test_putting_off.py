"""What few need is imported when somebody needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .project import SECONDS

_PROGRAM = """
import sys
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.plugin import longshore_executors
from longshore_ssh.putting_off import put_off

put_off("no_such_module")
assert "no_such_module" not in sys.modules
[record] = longshore_executors()
record.factory(SshConfig(), None)
print("paramiko" in sys.modules, "invoke.runners" in sys.modules)
from longshore_ssh.targets import target_of

print(target_of(HostConfig(host="h"), SshConfig(ssh_config=sys.argv[1])).user, "invoke.runners" in sys.modules)
"""


def test_what_executes_conditions_of_the_users_file_is_imported_when_it_has_one(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text('Match exec "false"\n    User wrong\nMatch exec "true"\n    User right\n')

    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(config)], capture_output=True, text=True, check=True, timeout=SECONDS
    )

    assert told.stdout.splitlines() == ["True False", "right True"]
