"""The whole story on the real Google Cloud, for 0.10 USD at most; only when ``LONGSHORE_LIVE=gcp`` asks for it.

LONGSHORE_LIVE=gcp GOOGLE_APPLICATION_CREDENTIALS=... pytest packages/provider-gcp/tests/live
"""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing import live


@pytest.mark.skipif(not live.wanted("gcp"), reason="it costs money: LONGSHORE_LIVE=gcp asks for it")
def test_a_machine_of_the_real_cloud_is_rented_used_and_ended(tmp_path: Path) -> None:
    run = live.play(tmp_path, "gcp", pool='type = "e2-small"')
    assert run.state == "succeeded"
    assert (run.results / "sum" / "sum.txt").read_text().strip() == "100"
