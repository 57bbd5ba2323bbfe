"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that has much else to do is slow, and no test fails for that.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
