"""Heights of waves: two functions that become tasks."""

import json
from pathlib import Path


def heights(count: int) -> list[int]:
    values = [n * n % 17 for n in range(count)]
    Path("heights.json").write_text(json.dumps(values))
    return values


def summary(values: list[int]) -> dict[str, float]:
    return {"highest": max(values), "mean": sum(values) / len(values)}
