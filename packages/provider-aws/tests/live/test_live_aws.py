"""The whole story on the real AWS, for 0.10 USD at most; only when ``LONGSHORE_LIVE=aws`` asks for it.

LONGSHORE_LIVE=aws AWS_PROFILE=... AWS_DEFAULT_REGION=eu-west-1 pytest packages/provider-aws/tests/live
"""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing import live


@pytest.mark.skipif(not live.wanted("aws"), reason="it costs money: LONGSHORE_LIVE=aws asks for it")
def test_a_machine_of_the_real_aws_is_rented_used_and_ended(tmp_path: Path) -> None:
    run = live.play(tmp_path, "aws", pool='type = "t3.micro"\nspot = true')
    assert run.state == "succeeded"
    assert (run.results / "sum" / "sum.txt").read_text().strip() == "100"
