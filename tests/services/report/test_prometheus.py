"""The text format of Prometheus, by its description."""

from __future__ import annotations

from services.report.prometheus import Gauge, by_label, exposition, gauge


def test_each_name_has_its_help_and_its_type_before_its_values() -> None:
    runs = by_label("runs", "Runs.", "status", {"done": 3, "failed": 0})
    assert exposition([runs, gauge("share", "A share.", 0.25)]) == (
        "# HELP runs Runs.\n# TYPE runs gauge\n"
        'runs{status="done"} 3\nruns{status="failed"} 0\n'
        "# HELP share A share.\n# TYPE share gauge\nshare 0.25\n"
    )


def test_what_is_not_known_is_left_out_and_not_0() -> None:
    assert exposition([gauge("lag", "Lag.", None)]) == ""


def test_labels_and_help_are_escaped() -> None:
    odd = Gauge("odd", "A \\ and\na line", {(("a", 'say "x"\n\\'), ("b", "2")): 1e-9})
    assert exposition([odd]) == (
        "# HELP odd A \\\\ and\\na line\n# TYPE odd gauge\n"
        'odd{a="say \\"x\\"\\n\\\\",b="2"} 1e-09\n'
    )
