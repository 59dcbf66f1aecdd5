"""The mean of one file of readings, as JSON."""

import csv
import json
import sys
from pathlib import Path

with Path(sys.argv[1]).open(newline="") as file:
    values = [float(row["celsius"]) for row in csv.DictReader(file)]
print(json.dumps({"readings": len(values), "celsius": round(sum(values) / len(values), 2)}))
