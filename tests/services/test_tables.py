"""Tables of texts, as they stand on a page and in a file."""

from __future__ import annotations

from services import tables
from services.compare import Candidate, compare
from tests.values import candidate, measured


def repeated(run_id: int, slower: float) -> Candidate:
    times = enumerate((1.00, 1.02, 0.98))
    found = [measured(i, repeat=r, e2e=3.0 * slower * f) for r, f in times for i in range(3)]
    return candidate(found, run_id=run_id)


def test_a_ratio_and_its_interval_stay_on_one_line() -> None:
    comparison = compare([repeated(1, 1.0), repeated(2, 2.0)])
    found = {row[0]: row[1:] for row in tables.measures(comparison, ["1", "2"]).rows}
    reference, other = found["E2E latency, mean"]
    value, ratio = other.split("\n")
    assert (reference, value) == ("3.00 s", "6.00 s")
    joiner = "\N{WORD JOINER}"
    assert " " not in ratio and ratio.count("–") == ratio.count(f"{joiner}–{joiner}") == 1
    assert ratio.replace(joiner, "").split() == ["×", "2", "(1.91–2.09)"]
