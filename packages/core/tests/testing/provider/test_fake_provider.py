"""The fake provider keeps every law, on clouds of several habits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from longshore.testing import FakeRig, ProviderContract
from longshore.testing.fake_cloud_parts import CloudHabits


class TestFakeProvider(ProviderContract):
    @pytest.fixture(params=["usual", "without-keys", "at-once", "power-off-costs"])
    def rig(self, request: pytest.FixtureRequest) -> FakeRig:
        habits = {
            "usual": CloudHabits(),
            "without-keys": CloudHabits(honours_keys=False),
            "at-once": CloudHabits(listing_lag=timedelta(0), latency=timedelta(0)),
            "power-off-costs": CloudHabits(power_off_still_costs=True),
        }
        return FakeRig(habits=habits[request.param])
