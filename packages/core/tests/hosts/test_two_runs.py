"""Runs that use the same host use no more of it together than there is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from longshore import load, start
from longshore.remote.computer import usable_cpus

from .rig import Rig

MEMBERS = 4


def _workflow(rig: Rig, name: str, pool: str, others: str = "") -> str:
    """Tasks that each need the whole host, and write down how many of them there are at once. They begin when those of
    the ``others`` can, too.
    """
    busy = f"{rig.world}/busy"
    ready = "; ".join(f"until test -e {rig.world}/ready-{each}; do sleep 0.01; done" for each in others.split())
    command = f"mkdir {busy}/$$; ls {busy} | wc -l >> {rig.world}/seen; sleep 0.05; rmdir {busy}/$$"
    return (
        f'name = "{name}"\n{pool}'
        f'[tasks.ready]\ncommand = "touch {rig.world}/ready-{name}; {ready or "true"}"\nneeds = {{ cpus = 0 }}\n'
        f'[tasks.t]\nfor_each.n = {{ range = [1, {MEMBERS}] }}\ncommand = "{command}"\nafter = ["ready"]\n'
        f"needs = {{ cpus = {usable_cpus()} }}\n"
    )


def _play(rig: Rig, text: str, name: str) -> str:
    folder = rig.project.folder.parent / name
    folder.mkdir()
    (folder / "longshore.toml").write_text(text)
    loaded = load(folder / "longshore.toml")
    with start(loaded.spec, loaded.folder) as run:
        run.wait(timeout=120)
    rig.hosts["h1"].wait_idle(run.id)
    return str(run.state)


def test_two_runs_take_turns_on_a_host_that_is_too_small_for_both(rig: Rig) -> None:
    pool = rig.pool("h1", cpus=usable_cpus())
    (rig.world / "busy").mkdir()

    with ThreadPoolExecutor() as both:
        ends = list(both.map(lambda name: _play(rig, _workflow(rig, name, pool, "one two"), name), ["one", "two"]))

    assert ends == ["succeeded", "succeeded"]
    assert (rig.world / "seen").read_text().split() == ["1"] * (2 * MEMBERS), "the host was overfull"
    [table] = (rig.world / "h1" / "room").glob("*/table")
    assert table.read_text() == "[]"


def test_what_a_killed_supervisor_had_is_free_for_others(rig: Rig) -> None:
    pool = rig.pool("h1", cpus=usable_cpus(), orphan="1 h")
    text = (
        f'name = "held"\n{pool}[tasks.t]\ncommand = "echo x > {rig.world}/held; sleep 600"\n'
        f"needs = {{ cpus = {usable_cpus()} }}\n"
    )
    holder = rig.start(text)
    rig.until((rig.world / "held").exists, "the start")
    holder.detach()
    (rig.world / "busy").mkdir()
    with ThreadPoolExecutor() as waiting:
        other = waiting.submit(_play, rig, _workflow(rig, "other", pool), "other")
        rig.until(lambda: _waits(rig), "the wait")

        rig.hosts["h1"].crash(holder.id)

        assert other.result(120) == "succeeded"


def _waits(rig: Rig) -> bool:
    """Say whether one of two supervisors waits for the other."""
    tables = list((rig.world / "h1" / "room").glob("*/table"))
    rows = json.loads(tables[0].read_text() or "[]") if tables else []
    return len(rows) == 2 and any(row["since"] for row in rows)
