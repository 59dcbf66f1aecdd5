"""A computer that has lost its ledger, or is new, takes over what was rented for a run: known by tags alone."""

from __future__ import annotations

from attrs import evolve

from longshore.machines.fleet import Fleet
from longshore.machines.renting import rent
from longshore.machines.taking import end_machines_of
from longshore.machines.values import Whose
from longshore.model.lease import LeasePhase

from .world import World

RUN = "20260314-092653-0042"


def _launched(world: World, fleet: Fleet, run: str) -> str:
    """Rent a machine as a run does."""
    [row] = rent(fleet, "cloud")
    spec = evolve(fleet.ledger.lease(row.lease).spec, run=run, name="")
    [machine] = fleet.keeper("fake").provider.launch(spec, token=f"token-{run}")
    world.wait(fleet.keeper("fake").provider.terms.listing_lag)
    return machine.id


def test_a_new_computer_rebuilds_the_leases_of_a_run_from_tags_and_ends_its_machines_and_no_others(
    world: World,
) -> None:
    with world.fleet("gone") as gone:
        ours = _launched(world, gone, RUN)
        other = _launched(world, gone, "20260314-092653-9999")
        [controller] = rent(gone, "cloud", label=f"controller-{RUN}")
    before = {each.id for each in world.rig.paid()}

    with world.fleet("new") as fleet:
        assert fleet.ledger.leases() == []
        assert {row.whose for row in fleet.overview().machines} == {Whose.FOREIGN}
        ended = end_machines_of(fleet, RUN, f"controller-{RUN}")

        assert sorted(ended) == sorted([f"fake/{ours}", f"fake/{controller.id}"])
        assert before - {each.id for each in world.rig.paid()} == {ours, controller.id}
        assert other in {row.id for row in fleet.overview().machines}
        taken = [fleet.ledger.lease(f"taken/{RUN}/{each}") for each in (ours, controller.id)]
        assert [(lease.machine, lease.phase) for lease in taken] == [
            (ours, LeasePhase.ABSENT),
            (controller.id, LeasePhase.ABSENT),
        ]
        assert all(lease.evidence is not None for lease in taken)
        assert end_machines_of(fleet, RUN, f"controller-{RUN}") == [], "said twice it is the same"
