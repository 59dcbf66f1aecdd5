"""What a bucket has, and how its files begin, asked of a stand-in for S3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import longshore_side
from bench import Bench
from figures import OURS, THEIRS, WALL, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse

PROBE = Path(__file__).parent.parent / "probes" / "bucket.py"
PAGES = "botocore-paginator"


def listing_scenario(objects: int) -> Scenario:
    """List a bucket for a glob, beside what takes its pages one after the other."""
    bars = (
        Bar(subject=OURS, promise=Promise.BELOW, limit=60.0),
        Bar(subject=PAGES, promise=Promise.RATIO, limit=1.0),
    )
    asked = {OURS: ("longshore, a glob", "list"), PAGES: ("botocore's paginator", "pages")}
    return _scenario(f"bucket-list-{objects}", f"{objects:,} objects of a bucket, listed", asked, objects, bars)


def headers_scenario(files: int) -> Scenario:
    """Read the first lines of files of which each is 20 ms away."""
    bars = (Bar(subject=OURS, promise=Promise.BELOW, limit=60.0),)
    asked = {OURS: ("longshore, columns_of", "headers")}
    return _scenario(f"bucket-headers-{files}", f"first lines of {files:,} files, 20 ms away", asked, files, bars)


def _scenario(name: str, title: str, asked: dict[str, tuple[str, str]], count: int, bars: tuple[Bar, ...]) -> Scenario:
    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender(who: str) -> Contender:
            label, word = asked[who]
            prepare = longshore_side.bucket_probe(bench, PROBE, word, str(count))
            return Contender(name=who, label=label, measure=lambda folder: _printed(prepare(folder)))

        return [enter_or_excuse(who, asked[who][0], lambda who=who: contender(who)) for who in asked]

    return Scenario(name=name, title=title, tasks=None, enter=enter, bars=bars)


def _printed(command: Invocation) -> Reading:
    execute(command)
    said = last_line(command.folder / "output.log")
    try:
        return dict(zip((WALL, THEIRS), map(float, said.split()), strict=False))
    except ValueError:
        raise NotMeasured(f"the probe said {said!r}") from None
