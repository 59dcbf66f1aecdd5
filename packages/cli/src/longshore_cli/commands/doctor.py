"""``longshore doctor``: is this computer fit to run workflows?"""

from __future__ import annotations

import os
from pathlib import Path

from attrs import asdict

from longshore_cli.checks import examine
from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint
from longshore_cli.places import folder_of

__all__ = ["command"]


@subcommand(
    "doctor",
    examples="""
    longshore doctor
    longshore doctor --json | jq '.checks[] | select(.state != "ok")'
    """,
)
@folder_option
@json_option
def command(invocation: Invocation, folder: Path | None) -> int:
    """Check this computer, and say how to mend what is wrong.

    Exit code 1 when something would make a run fail. The JSON document is
    {"ok": bool, "checks": [{"name", "state", "says", "remedy"}]} with the states ok, warning and bad.
    """
    from longshore.folders import state_folder

    findings = list(examine(folder_of(folder), state_folder(os.environ)))
    sound = all(finding.state != "bad" for finding in findings)
    if invocation.json:
        answer_json({"ok": sound, "checks": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            answer(f"{paint(finding.state.ljust(7), finding.state)}  {finding.name.ljust(width)}  {finding.says}")
            if finding.remedy:
                answer(f"{'':7}  {'':{width}}  -> {finding.remedy}")
    return 0 if sound else 1
