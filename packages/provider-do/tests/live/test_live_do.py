"""The whole story on the real DigitalOcean, for 0.10 USD at most; only when ``LONGSHORE_LIVE=do`` asks for it.

LONGSHORE_LIVE=do DIGITALOCEAN_TOKEN=... pytest packages/provider-do/tests/live
"""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing import live


@pytest.mark.skipif(not live.wanted("do"), reason="it costs money: LONGSHORE_LIVE=do asks for it")
def test_a_machine_of_the_real_cloud_is_rented_used_and_ended(tmp_path: Path) -> None:
    run = live.play(tmp_path, "do", pool='type = "s-1vcpu-1gb"')
    assert run.state == "succeeded"
    assert (run.results / "sum" / "sum.txt").read_text().strip() == "100"
