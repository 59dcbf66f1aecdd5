from __future__ import annotations

from pathlib import Path

import pytest

from figures import OURS, WALL, Promise, Reading
from measure import NotMeasured
from peers import PEERS
from run import main
from scenarios import FAMILIES, SCENARIOS, Contender, Scenario, UnknownScenario, find
from scenarios.base import LIMIT
from scenarios.buckets import PAGES
from scenarios.clusters import PEERS as CLUSTER_PEERS
from scenarios.deciding import STRATEGIES
from scenarios.far import PEERS as FAR_PEERS
from scenarios.limits_of_size import TABLES
from suite import measure_rounds

SUBJECTS = {OURS, f"{OURS}-python", f"{OURS}-name", LIMIT, *(peer.name for peer in PEERS)}
SUBJECTS |= {f"{OURS}-{strategy}" for strategy in STRATEGIES} | {*FAR_PEERS, *CLUSTER_PEERS, PAGES}
SUBJECTS |= {f"{OURS}-{table.partition('.')[2]}" for table in TABLES}


def contender(name: str, log: list[str]) -> Contender:
    def measure(folder: Path) -> Reading:
        assert folder.is_dir()
        log.append(name)
        return {WALL: float(len(log))}

    return Contender(name=name, label=name, measure=measure)


def test_rounds_are_interleaved_and_begin_with_another_contender_each(tmp_path: Path) -> None:
    log: list[str] = []
    results = measure_rounds([contender("a", log), contender("b", log)], tmp_path, 3, lambda _: None)
    assert log == ["a", "b", "b", "a", "a", "b"]
    assert results["b"].readings == ({WALL: 2.0}, {WALL: 3.0}, {WALL: 6.0})


def test_who_fails_is_not_asked_again_and_the_others_go_on(tmp_path: Path) -> None:
    def fail(folder: Path) -> Reading:
        raise NotMeasured("no room")

    log: list[str] = []
    broken = Contender(name="x", label="x", measure=fail)
    results = measure_rounds([broken, contender("a", log)], tmp_path, 2, lambda _: None)
    assert (results["x"].readings, results["x"].reason) == ((None, None), "round 1: no room")
    assert log == ["a", "a"]


def test_what_is_set_up_once_is_measured_each_round_in_the_same_folder(tmp_path: Path) -> None:
    folders: list[Path] = []

    def measure(folder: Path) -> Reading:
        folders.append(folder)
        return {WALL: 1.0}

    again = Contender(
        name="again",
        label="again",
        set_up=lambda folder: (folder / "made").touch(exist_ok=False),
        measure=measure,
    )
    measure_rounds([again], tmp_path, 2, lambda _: None)
    assert folders == [tmp_path / "again"] * 2


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_every_bar_is_about_somebody_who_exists(scenario: Scenario) -> None:
    assert {bar.subject for bar in scenario.bars} <= SUBJECTS


def test_a_family_can_be_asked_for_at_any_size() -> None:
    assert find("fan-250").tasks == 250
    assert all(find(f"{family}-7").name == f"{family}-7" for family in FAMILIES)


def test_the_larger_fan_has_the_higher_bar() -> None:
    def to_xargs(name: str) -> float:
        [bar] = [bar for bar in find(name).bars if bar.subject == "xargs" and bar.promise is Promise.RATIO]
        return bar.limit

    assert (to_xargs("fan-1000"), to_xargs("fan-10000")) == (0.6, 0.7)


@pytest.mark.parametrize("name", ["fann-1000", "fan-0", "fan-x", "fan-"])
def test_an_unknown_scenario_is_refused_with_near_names(name: str) -> None:
    with pytest.raises(UnknownScenario, match="did you mean fan-1000"):
        find(name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fann-1000"], "no scenario 'fann-1000': did you mean fan-1000"),
        (["--peers", "mak"], "no peer 'mak': did you mean make?"),
        (["--rounds", "0"], "'0' is not a number of at least 1"),
    ],
)
def test_bad_usage_is_refused_in_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
