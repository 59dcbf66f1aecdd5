"""What ``longshore hosts`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import asdict

from longshore.machines.hosts import CheckedHost, check_hosts
from longshore.plugin.hosts import Soundness
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import clean

__all__ = ["check"]

_STATE_WIDTH = max(map(len, Soundness))


def check(invocation: Invocation, folder: Path | None, words: Sequence[str]) -> int:
    """Check hosts; exit code 1 when one cannot be used."""
    with telling(invocation) as tell:
        hosts = check_hosts(words, folder=folder_of(folder), tell=tell)
    sound = all(host.state is not Soundness.BAD for host in hosts)
    if invocation.json:
        answer_json({"ok": sound, "hosts": [_document(host) for host in hosts]})
    else:
        whole = invocation.verbosity > 0 or len(hosts) == 1
        for host in hosts:
            _show(host, whole=whole)
        if not hosts:
            say("No pool names hosts.")
    return 0 if sound else 1


def _document(host: CheckedHost) -> dict[str, object]:
    checks = [asdict(finding) for finding in host.findings]
    return {"pool": host.pool, "host": host.host, "state": host.state, "checks": checks}


def _show(host: CheckedHost, *, whole: bool) -> None:
    answer(f"{paint(host.state.ljust(_STATE_WIDTH), host.state)}  {host.pool}/{host.host}")
    shown = [finding for finding in host.findings if whole or finding.state is not Soundness.OK]
    width = max((len(finding.name) for finding in shown), default=0)
    below = f"{'':{_STATE_WIDTH}}    {'':{width}}  "
    for finding in shown:
        state = paint(finding.state.ljust(_STATE_WIDTH), finding.state)
        says = clean(finding.says).replace("\n", f"\n{below}")
        answer(f"  {state}  {finding.name.ljust(width)}  {says}")
        for number, line in enumerate(clean(finding.remedy).splitlines()):
            answer(f"  {below}{'-> ' if not number else '   '}{line}")
