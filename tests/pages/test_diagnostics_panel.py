"""Warnings above a result: long ones are their titles, each once."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def test_a_long_warning_of_several_runs_is_one_title_with_their_names() -> None:
    def page() -> None:
        from pages.widgets import panels
        from services.analysis.diagnostics.diagnostic import LONG, Diagnostic

        busy = "Other programs slowed the engine down"
        panels.show_diagnosed(
            [
                (Diagnostic("warning", busy, "x" * LONG), "sequential"),
                (Diagnostic("warning", "Different load", "Not the same."), ""),
                (Diagnostic("warning", busy, "Close other programs."), "batch 8"),
            ]
        )

    at = AppTest.from_function(page).run()
    assert not at.exception
    titles = (
        "- **sequential; batch 8\\: Other programs slowed the engine down.**\n- **Different load.**"
    )
    assert at.warning[0].value == titles
    assert "Close other programs" in at.expander[0].markdown[0].value
