"""Name the columns that hold numbers in all of the given files, one per line: python columns.py FILE..."""

import sys

import tmy3

DIRECTIONS = {"Wdir"}  # 359 and 1 degrees are neighbours: a direction has no mean of this kind


def numeric(path: str) -> list[str]:
    table = tmy3.read(path)
    return [
        name
        for name in table
        if all(map(is_number, table[name])) and not is_code(name, table[name]) and name not in DIRECTIONS
    ]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_code(name: str, values: list[str]) -> bool:
    """Columns that say by a digit where a value comes from, or how sure it is, hold no quantity."""
    return name.endswith("source") or (name.endswith("uncert") and set(values) <= set("0123456789"))


if __name__ == "__main__":
    first, *others = map(numeric, sys.argv[1:])
    for name in first:
        if all(name in other for other in others):
            print(name)
