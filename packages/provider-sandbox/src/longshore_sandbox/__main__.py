"""What the operator of a sandbox can do: ``python -m longshore_sandbox --help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from longshore.errors import LongshoreError, UsageError
from longshore.model.quantity import format_duration, parse_duration
from longshore.testing.clock import ManualClock
from longshore.testing.fake_cloud_parts import CloudFault, CloudTimeout
from longshore.testing.faults import Fault
from longshore_sandbox.config import default_folder
from longshore_sandbox.door import CloudClient
from longshore_sandbox.errors import CloudDown

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Do what the words say; give the exit code."""
    given = _parser().parse_args(words)
    cloud = CloudClient(given.folder)
    try:
        return _DO[given.do](cloud, given)
    except (LongshoreError, CloudDown, CloudFault, CloudTimeout, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m longshore_sandbox", description="Operate a sandbox.")
    parser.add_argument("--folder", type=Path, default=default_folder(os.environ), help="where the cloud is")
    does = parser.add_subparsers(dest="do", required=True)
    does.add_parser("list", help="list all machines that ever were, and what they have cost")
    advance = does.add_parser("advance", help='move the time of a cloud with clock = "manual"')
    advance.add_argument("by", help='as in "90 min"')
    fail = does.add_parser("fail", help="let the next requests go wrong")
    fail.add_argument("fault", choices=[*Fault])
    fail.add_argument("--on", default="*", help="of this action only: create, list, end, ...")
    fail.add_argument("--times", type=int, default=1)
    reclaim = does.add_parser("reclaim", help="take a spot machine back")
    reclaim.add_argument("machine")
    reclaim.add_argument("--after", default="0 s", help='as in "3 min"; it is announced two minutes before')
    does.add_parser("reset", help="end all machines and forget everything")
    does.add_parser("stop", help="end the cloud's process; machines, and what it knows, stay")
    return parser


def _list(cloud: CloudClient, _given: argparse.Namespace) -> int:
    for each in cloud.machines.values():
        state = "ended" if each.ended is not None else "stopped" if each.stopped is not None else "running"
        paid = f"{format_duration(timedelta(seconds=each.paid_seconds))}  {each.paid:.6f} {each.kind.currency}"
        spot = " spot" if each.kind.spot else ""
        sys.stdout.write(f"{each.id}  {state:<7}  {each.kind.type}{spot}  {each.kind.zone}  {each.account}  {paid}\n")
    return 0


def _advance(cloud: CloudClient, given: argparse.Namespace) -> int:
    clock = cloud.time
    if not isinstance(clock, ManualClock):
        raise UsageError(f'the clock is real; write clock = "manual" into {cloud.folder / "cloud.toml"}')
    sys.stdout.write(f"{clock.advance(parse_duration(given.by)):%Y-%m-%d %H:%M:%S} UTC\n")
    return 0


def _fail(cloud: CloudClient, given: argparse.Namespace) -> int:
    cloud.fail(Fault(given.fault), on=given.on, times=given.times)
    return 0


def _reclaim(cloud: CloudClient, given: argparse.Namespace) -> int:
    known = cloud.machines.get(given.machine)
    if known is None or not known.kind.spot:
        raise UsageError(f"there is no spot machine {given.machine}")
    cloud.reclaim(given.machine, after=parse_duration(given.after))
    return 0


def _reset(cloud: CloudClient, _given: argparse.Namespace) -> int:
    cloud.reset()
    return 0


def _stop(cloud: CloudClient, _given: argparse.Namespace) -> int:
    cloud.shut_down()
    return 0


_DO = {"advance": _advance, "fail": _fail, "list": _list, "reclaim": _reclaim, "reset": _reset, "stop": _stop}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
