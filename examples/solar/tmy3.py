"""Read TMY3 files: a line about the station, a line of column names, and one line for each hour of a year."""

import csv
from pathlib import Path

MISSING = {-9900.0, 77777.0, 88888.0}
"""No value; a ceiling without limit; a ceiling of thin cloud, which has no height."""


def read(path: str) -> dict[str, list[str]]:
    """Give each column by its name without the unit: "GHI (W/m^2)" is "GHI", "GHI uncert (%)" is "GHI uncert"."""
    with Path(path).open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        names = [name.split(" (")[0] for name in next(rows)]
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
