"""Count the words of a text, and tell how many there are as people write numbers."""

import json
import sys
from collections import Counter
from pathlib import Path

import humanize

words = Path(sys.argv[1]).read_text().lower().split()
often = Counter(words).most_common(3)
Path("counts.json").write_text(json.dumps({"words": humanize.intcomma(len(words)), "often": dict(often)}) + "\n")
