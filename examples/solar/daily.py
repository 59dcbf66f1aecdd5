"""Lowest, mean and highest value of one column on each day of the year: python daily.py FILE STATION COLUMN."""

import csv
import sys
from statistics import fmean

import tmy3


def main(path: str, station: str, column: str) -> None:
    table = tmy3.read(path)
    days: dict[str, list[float]] = {}
    for date, text in zip(table["Date"], table[column], strict=True):
        value = float(text)
        if value not in tmy3.MISSING:
            month, day, _ = date.split("/")  # the months come from different years; the year is left out
            days.setdefault(f"{month}-{day}", []).append(value)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["station", "column", "day", "min", "mean", "max"])
    for day, values in days.items():
        out.writerow([station, column, day, min(values), round(fmean(values), 4), max(values)])


if __name__ == "__main__":
    main(*sys.argv[1:])
