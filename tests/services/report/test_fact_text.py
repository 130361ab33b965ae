"""Settings and facts as texts of a table."""

from __future__ import annotations

from typing import Any

import pytest

from services.report.fact_text import fact_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (300.0, "300"),
        (0.2, "0.2"),
        (True, "yes"),
        (None, "–"),
        ((), "–"),
        ((1.0, 2.5), "1, 2.5"),
        (float("inf"), "inf"),
        ("vLLM", "vLLM"),
    ],
)
def test_a_setting_is_shown_as_in_the_form(value: Any, text: str) -> None:
    assert fact_text(value) == text
