"""Rank the columns of all stations by how much their days differ: python rank.py DAILY_CSV..."""

import csv
import sys
from pathlib import Path
from statistics import fmean, pstdev


def summary(path: str) -> dict[str, object] | None:
    with Path(path).open(newline="") as file:
        days = list(csv.DictReader(file))
    if not days:
        return None  # every value of the year is missing
    means = [float(day["mean"]) for day in days]
    lowest, highest = min(float(day["min"]) for day in days), max(float(day["max"]) for day in days)
    between = pstdev(means)
    return {
        "station": days[0]["station"],
        "column": days[0]["column"],
        "days": len(days),
        "mean": round(fmean(means), 4),
        "lowest": lowest,
        "highest": highest,
        "variability": round(between / (highest - lowest), 4) if highest > lowest else 0.0,
    }


if __name__ == "__main__":
    table = [row for row in map(summary, sys.argv[1:]) if row is not None]
    table.sort(key=lambda row: (-float(str(row["variability"])), str(row["column"]), str(row["station"])))
    out = csv.DictWriter(sys.stdout, ["rank", *table[0]], lineterminator="\n")
    out.writeheader()
    out.writerows({"rank": rank, **row} for rank, row in enumerate(table, start=1))
