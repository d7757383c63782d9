"""Settings for all tests: the same examples on every run, and no clock to fail by."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("placer", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("PLACER_HYPOTHESIS", "placer"))
