"""Draw the sunlight of the year and the top of the ranking: python plot.py RANKING_CSV DAILY_CSV..."""

import csv
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draw to files, without a display
import matplotlib.pyplot as plt

SUNLIGHT = "GHI"  # global horizontal irradiance, W/m2
TOP = 20


def read(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def main(ranking: str, *dailies: str) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
    for days in map(read, dailies):
        if days and days[0]["column"] == SUNLIGHT:
            left.plot([float(day["mean"]) for day in days], label=days[0]["station"], linewidth=0.8)
    left.set(title=f"{SUNLIGHT}, daily mean", xlabel="day of the year", ylabel="W/m²")
    left.legend(title="station")
    top = read(ranking)[:TOP]
    right.barh([f"{row['column']}, {row['station']}" for row in top], [float(row["variability"]) for row in top])
    right.invert_yaxis()
    right.set(title=f"The {TOP} columns whose days differ most", xlabel="deviation of daily means / range of the year")
    figure.savefig("solar.png", dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
