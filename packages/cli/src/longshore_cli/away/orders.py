"""There: what runs of this machine were asked to be, and what has become of them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.errors import LongshoreError
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.away.seats import Order

__all__ = [
    "ENDED",
    "close_order",
    "forget_order",
    "is_kept",
    "is_over",
    "last_words",
    "lock_file",
    "note_left",
    "order_file",
    "order_of",
    "said_of_seat",
    "seat_of",
    "write_order",
]

ENDED = "the controller has ended"
"""So begins what a keeper tells of a controller that has died."""
_STAYS = ("name", "key", "rented")
"""What is known of an order when its run is over."""
_COMPLAINT = "longshore: "
_LAST = 4096


def order_file(project: Project, run: str) -> Path:
    """Give the place of an order; what else is kept of the run lies beside it."""
    return project.home / "seat" / f"{run}.json"


def order_of(project: Project, run: str) -> Order | None:
    """Read what a run was asked to be; None when it was not begun by somebody elsewhere."""
    try:
        order: Order = json.loads(order_file(project, run).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return order


def write_order(project: Project, run: str, order: Order) -> None:
    """Write it down, synced, before anything is begun."""
    target = order_file(project, run)
    target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    fresh = target.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(order, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(target)


def close_order(project: Project, run: str) -> None:
    """Keep of an order whose it was, and on which machine; nothing is begun by it again, or handed over."""
    order = order_of(project, run)
    if order is not None:
        write_order(project, run, {"rented": None} | {part: order[part] for part in _STAYS if part in order})
    order_file(project, run).with_suffix(".env").unlink(missing_ok=True)


def forget_order(project: Project, run: str, *, keep_log: bool = False) -> None:
    """Forget that a run was asked for here; with ``keep_log`` what its controllers said stays to be read."""
    for ending in (".json", ".env", ".left", ".lock", *(() if keep_log else (".log",))):
        order_file(project, run).with_suffix(ending).unlink(missing_ok=True)


def is_over(project: Project, run: str) -> bool:
    """Say whether a run has ended, for now at least: what was interrupted goes on only when somebody asks for it."""
    try:
        return RunReader(project.run_folder(run)).info().ended is not None
    except LongshoreError:
        return False


def is_kept(project: Project, run: str) -> bool:
    """Say whether a keeper looks after a run now."""
    try:
        descriptor = os.open(lock_file(project, run), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lock_file(project: Project, run: str) -> Path:
    """Give the place of what the keeper of a run has locked."""
    return project.home / "seat" / f"{run}.lock"


def note_left(project: Project, run: str, url: str, fence: int) -> None:
    """Note in which bucket a run that is over was left whole, under which fence."""
    mark = _mark_file(project, run)
    fresh = mark.with_suffix(".left.new")
    fresh.write_text(json.dumps({"url": url, "fence": fence}), encoding="utf-8")
    fresh.rename(mark)


def seat_of(project: Project, run: str, order: Order | None, *, over: bool) -> dict[str, Any]:
    """Say whether a run is over, in which bucket it was left whole, and what is known of a machine rented for it.

    ``order`` is what `order_of` says, and ``over`` what `is_over` does.
    """
    rented = order.get("rented") if order is not None else None
    return {"run": run, "over": over, "rented": rented, "left": _left(project, run) if over else ""}


def said_of_seat(row: Mapping[str, Any]) -> str:
    """Say where all there is of a run that is over is, given what `seat_of` says; empty when nobody pays for that.

    What an older Longshore has said may lack parts.
    """
    rented = row.get("rented")
    if not rented or not row["over"]:
        return ""
    from longshore.model.rented import WhenIdle

    if row.get("left"):
        return (
            f"all of it is in {row['left']}, and {rented['name']} ends itself; `longshore fetch` brings it from there"
        )
    costs = f"costs {rented['price']}" if rented["price"] else "may cost money"
    if rented["when_idle"] != WhenIdle.END:
        return f"all of it is on {rented['name']} alone, which {costs} and stays until {rented['ends_at']}"
    return (
        f"all of it is on {rented['name']} alone, which {costs} until `longshore fetch` ends it; "
        f"at {rented['ends_at']} it ends itself, and what nobody has fetched is lost"
    )


def last_words(project: Project, run: str) -> str:
    """Give what a run's controller has complained of last, where somebody keeps it; empty when of nothing."""
    try:
        with order_file(project, run).with_suffix(".log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    found = [line.removeprefix(_COMPLAINT) for line in lines if line.startswith(_COMPLAINT)]
    return next((line for line in reversed(found) if not line.startswith(ENDED)), "")


def _left(project: Project, run: str) -> str:
    """Say in which bucket a run was left whole; empty when it was not, or has gone on since."""
    try:
        mark = json.loads(_mark_file(project, run).read_text(encoding="utf-8"))
        current = mark["fence"] == RunReader(project.run_folder(run)).fence()
    except (OSError, ValueError, LongshoreError):
        return ""
    return str(mark["url"]) if current else ""


def _mark_file(project: Project, run: str) -> Path:
    return project.home / "seat" / f"{run}.left"
