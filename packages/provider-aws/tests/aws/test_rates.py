"""A hundred machines are launched within the rates that AWS documents."""

from __future__ import annotations

from longshore.plugin.pace import Pace
from longshore_aws.provider import LAUNCH_BURST, LAUNCHES_A_SECOND

from .rates import refused
from .rig import AwsRig

MACHINES = 100
AHEAD = 8
"""So many launches of a run are under way at once: they look around before it is their turn."""
LOOK_SECONDS = 0.25
"""No sooner does a run list its machines again, whatever has come up meanwhile."""


def turns() -> list[float]:
    """Say when each launch may be asked for, by a clock that nobody waits for."""
    now, moments = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(burst=LAUNCH_BURST, per_second=LAUNCHES_A_SECOND, now=lambda: now, sleep=sleep)
    for _ in range(MACHINES):
        pace.wait()
        moments.append(now)
    return moments


def calls_of_launches(rig: AwsRig, count: int) -> list[list[str]]:
    """Launch some machines, and say what was asked for each."""
    provider, called = rig.provider(), []
    for number in range(count):
        before = len(rig.cloud.control("called"))
        provider.launch(rig.spec(), token=f"t-{number}")
        called.append([name for _, name in rig.cloud.control("called")[before:]])
    return called


def calls_of_a_list(rig: AwsRig) -> list[str]:
    """List the machines that are there, and say what was asked for that."""
    provider = rig.provider()
    rig.wait(provider.terms.listing_lag)
    before = len(rig.cloud.control("called"))
    assert provider.find(owner=rig.owner)
    return [name for _, name in rig.cloud.control("called")[before:]]


def test_a_hundred_launches_stay_within_the_rates_that_aws_documents(rig: AwsRig) -> None:
    first, second, third = calls_of_launches(rig, 3)
    assert second == third, "each launch asks for the same as the one before it"
    assert second.count("ec2:RunInstances") == 1

    moments = turns()
    calls = []
    for number, turn in enumerate(moments):
        begun = moments[number - AHEAD] if number >= AHEAD else 0.0
        # All that are under way at first find that side resources are missing.
        asked = first if number < AHEAD else second
        calls += [(turn if name == "ec2:RunInstances" else begun, name) for name in asked]

    looks = calls_of_a_list(rig)
    calls += [(at * LOOK_SECONDS, name) for at in range(int(moments[-1] / LOOK_SECONDS)) for name in looks]

    assert refused(calls) == []
    hasty = [(0.0, name) for _, name in calls]
    assert {name for _, name in refused(hasty)} >= {"ec2:RunInstances", "ec2:DescribeInstances"}
