"""Write an hourly TMY3 station file of the installed pvlib package to standard output: python station.py 703165TY."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path


def find(station: str) -> Path:
    spec = find_spec("pvlib")  # finds the package without importing it, which would take a second
    if spec is None or spec.origin is None:
        sys.exit("pvlib is not installed; run: pip install -r requirements.txt")
    data = Path(spec.origin).parent / "data"
    for path in sorted(data.iterdir()):
        if path.stem == station and path.suffix.lower() == ".csv":
            return path
    sys.exit(f"there is no station file {station}.csv in {data}")


if __name__ == "__main__":
    with find(sys.argv[1]).open("rb") as source:
        shutil.copyfileobj(source, sys.stdout.buffer)
