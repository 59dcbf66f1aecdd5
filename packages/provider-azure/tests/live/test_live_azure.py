"""The whole story on the real Azure, for 0.10 USD at most; only when ``LONGSHORE_LIVE=azure`` asks for it.

LONGSHORE_LIVE=azure AZURE_SUBSCRIPTION_ID=... pytest packages/provider-azure/tests/live
"""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing import live


@pytest.mark.skipif(not live.wanted("azure"), reason="it costs money: LONGSHORE_LIVE=azure asks for it")
def test_a_machine_of_the_real_cloud_is_rented_used_and_ended(tmp_path: Path) -> None:
    run = live.play(tmp_path, "azure", pool='type = "Standard_B2s"')
    assert run.state == "succeeded"
    assert (run.results / "sum" / "sum.txt").read_text().strip() == "100"
