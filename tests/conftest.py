"""Property tests draw the same examples in every run, and are never timed."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "accelsim",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("accelsim")
