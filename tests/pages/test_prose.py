"""Sentences on pages: no number is broken from its unit."""

from __future__ import annotations

import pytest

from pages.widgets.view import prose


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Takes about 31–60 s, or 2 min.", "Takes about 31\u2060–\u206060\xa0s, or 2\xa0min\\."),
        ("95 % $0.30–$0.41", "95\xa0% \\$0\\.30\u2060–\u2060\\$0\\.41"),
        ("started 2026-11-29 16:10", "started 2026\u2060\\-\u206011\u2060\\-\u206029\xa016\\:10"),
        ("0.2 cores, 3 GB", "0\\.2\xa0cores, 3\xa0GB"),
        ("44 % more, 5 repeats", "44\xa0% more, 5 repeats"),
        ("8 sequential requests", "8 sequential requests"),
    ],
)
def test_a_number_stays_with_its_unit(text: str, shown: str) -> None:
    assert prose(text) == shown
