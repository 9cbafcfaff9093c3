"""What all tests share: how hypothesis goes about its work, and the option that writes golden files anew."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("check", derandomize=True, deadline=None, max_examples=30)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "check"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew; read the difference in review"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
