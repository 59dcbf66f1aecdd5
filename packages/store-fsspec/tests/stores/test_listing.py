"""Whatever objects are called, each is listed once, in fewer pages one after the other than there are."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from longshore_fsspec.listing import list_keys

PAGE = 5


class Lister:
    """Answers as S3 does: names in the order of their bytes, a few at once."""

    def __init__(self, keys: set[str]) -> None:
        self.keys = sorted(keys, key=lambda key: key.encode())
        self.rows = 0
        """How many pages were asked for that begin a row."""

    def __call__(self, operation: str, **words: Any) -> dict[str, Any]:
        assert operation == "list_objects_v2"
        after = str(words.get("ContinuationToken", words.get("StartAfter", "")))
        self.rows += "ContinuationToken" not in words and "StartAfter" not in words
        begin = str(words["Prefix"])
        names = [key for key in self.keys if key.startswith(begin) and key.encode() > after.encode()]
        most = int(words.get("MaxKeys", PAGE))
        page = [{"Key": name} for name in names[:most]]
        if len(names) <= most:
            return {"Contents": page, "IsTruncated": False} if page else {"IsTruncated": False}
        return {"Contents": page, "IsTruncated": True, "NextContinuationToken": names[most - 1]}


letters = st.text(st.sampled_from("ab/\u00e9\U0010ffff \U0001f600"), max_size=4)


@settings(max_examples=300, deadline=None)
@given(keys=st.sets(letters, max_size=40), prefix=letters)
@example(keys={f"{number:03}" for number in range(40)}, prefix="")
@example(keys={chr(number) for number in range(200, 400)}, prefix="")
def test_each_object_with_the_prefix_is_listed_once(keys: set[str], prefix: str) -> None:
    found = list_keys(Lister(keys - {""}), "bucket", prefix)

    assert sorted(found) == sorted(key for key in keys - {""} if key.startswith(prefix))


def test_many_objects_are_listed_in_several_rows() -> None:
    lister = Lister({f"data/{number:04}.csv" for number in range(1000)})

    assert len(list_keys(lister, "bucket", "data/")) == 1000

    assert lister.rows == 1 + 10
