"""What ``longshore k8s`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import asdict

from longshore.machines import clusters
from longshore.model.quantity import format_size
from longshore.plugin.hosts import PodInfo
from longshore_cli import host_view
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import folder_of
from longshore_cli.text import clean, duration, table

__all__ = ["check", "list_pods", "show_manifest", "sweep"]

_HEADINGS = ["POD", "RUN", "TASK", "NODE", "STATE", "RESTARTS", "AGE", "CPUS", "MEMORY"]
_NONE = "No pool is on a cluster."


def check(invocation: Invocation, folder: Path | None, words: Sequence[str]) -> int:
    """Check clusters; exit code 1 when one cannot be used."""
    pools = clusters.cluster_pools(words, folder=folder_of(folder))
    if not pools:
        say(_NONE)
        return 0
    return host_view.check(invocation, folder, pools)


def show_manifest(folder: Path | None, words: Sequence[str]) -> int:
    """Print what would be made."""
    text = clusters.manifest(words, folder=folder_of(folder))
    if text:
        answer(text.rstrip("\n"))
    else:
        say(_NONE)
    return 0


def list_pods(invocation: Invocation, folder: Path | None, words: Sequence[str]) -> int:
    """List pods."""
    found = clusters.pods(words, folder=folder_of(folder))
    if invocation.json:
        answer_json({"pods": [_document(pool, pod) for pool, pod in found]})
    elif found:
        now = datetime.now(UTC)
        answer(table([[" ".join(clean(cell).split()) for cell in _row(pod, now)] for _, pod in found], _HEADINGS))
    else:
        say("No pods.")
    return 0


def sweep(invocation: Invocation, folder: Path | None, words: Sequence[str], *, dry_run: bool, foreign: bool) -> int:
    """Remove what is left; exit code 1 when something could not be removed."""
    found = clusters.sweep_clusters(words, folder=folder_of(folder), dry_run=dry_run, foreign=foreign)
    if invocation.json:
        rows = [
            {**asdict(each, filter=lambda field, _: field.name != "error"), "error": str(each.error or "")}
            for each in found
        ]
        answer_json({"dry_run": dry_run, "runs": rows})
    else:
        for each in found:
            _tell(each, dry_run=dry_run)
        if not found:
            say("Clean: no run has anything on a cluster.")
    return 1 if any(each.error is not None for each in found) else 0


def _tell(each: clusters.Swept, *, dry_run: bool) -> None:
    run = clean(each.run)
    if each.error is not None:
        say(f"longshore: {paint('not', 'bad')} removed: what run {run} has: {clean(str(each.error))}")
    elif each.removed:
        answer(f"removed what run {run} had")
    elif each.whose == "ended" and dry_run:
        answer(f"would remove what run {run} has")
    elif each.whose == "unknown":
        answer(f"run {run} is not of this project; --foreign removes what it has")
    else:
        answer(f"run {run} is {each.whose}, and keeps what it has")


def _row(pod: PodInfo, now: datetime) -> list[str]:
    age = "" if pod.born is None else duration(max(now, pod.born) - pod.born)
    state = f"{pod.state}: {pod.says}" if pod.says else pod.state
    cpus = "" if pod.cpus is None else f"{pod.cpus:.3g}"
    memory = "" if pod.memory_bytes is None else format_size(pod.memory_bytes)
    return [pod.name, pod.run, pod.task or pod.machine, pod.node, state, str(pod.restarts), age, cpus, memory]


def _document(pool: str, pod: PodInfo) -> dict[str, object]:
    born = None if pod.born is None else pod.born.isoformat()
    return {"pool": pool, **asdict(pod), "born": born}
