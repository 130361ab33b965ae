"""Whether a table fits on a phone."""

from __future__ import annotations

import pytest

from services.base.table import Table, is_broken

RATIO = "1,374 tokens/s\n1.39× (1.37–1.42)"
LONG = "a sentence of many words, which a narrow column breaks"


@pytest.mark.parametrize(
    ("row", "wide"),
    [
        (("Output throughput", "987 tokens/s", RATIO), False),
        (("Output throughput", "987 tokens/s", RATIO, RATIO), True),
        (("TTFT", *["81.3 ms"] * 5), False),
        (("TTFT", *["81.3 ms"] * 9), True),
        (("TTFT", *["9 ms"] * 9), False),
        (("TTFT", *["9 ms"] * 10), True),  # for the space around the cells
        (("Error", LONG, LONG), False),
    ],
)
def test_a_table_is_wide_if_its_lines_do_not_fit_beside_each_other(
    row: tuple[str, ...], wide: bool
) -> None:
    assert Table("Numbers", ("", *["Run"] * (len(row) - 1)), (row,)).is_wide == wide


def test_short_cells_are_three_in_a_line_of_a_phone() -> None:
    def cells_in_line(*row: str) -> int:
        return Table("Numbers", ("", *["Run"] * (len(row) - 1)), (row,)).cells_in_line

    assert cells_in_line("TTFT", *["81.3 ms"] * 9) == 3
    assert cells_in_line("TTFT", *["81.3 ms"] * 9, "1.39× (1.37–1.42)") == 2


def test_a_file_without_a_font_has_wider_characters() -> None:
    five = Table("Numbers", ("", *["Run"] * 6), (("TTFT", *["81.3 ms"] * 5, "9 ms"),))
    assert (five.is_wide, five.is_wide_in_file) == (False, True)


def test_a_table_of_sentences_is_one_of_words() -> None:
    assert Table("Failures", ("", "For example"), (("http", LONG),)).has_sentences
    assert not Table("Numbers", ("", "Run"), (("TTFT", RATIO),)).has_sentences
    assert is_broken(LONG) and not is_broken(RATIO)


def test_a_table_of_one_wide_column_folds() -> None:
    names = Table("Names", ("Name",), (("m" * 100,),))
    assert names.is_wide and names.cells_in_line == 3
