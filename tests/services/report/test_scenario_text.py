"""YAML of strangers: read as values with their lines, or refused in a sentence that quotes none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.report.scenario.document import InvalidScenario
from services.report.scenario.yaml_text import MAX_BYTES, MAX_EVENTS, read, write

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["1e3", "08", "on", "2026-03-01", "1:30", "~", ".5", "<<", "- a", "a: b", " x", "x\n\ny \n"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_values_round_trip_through_text(values: dict[str, Any]) -> None:
    assert read(write(values, ("a comment",)), "a.yaml").values == values


def test_scenarios_are_read_as_yaml_1_2() -> None:
    text = b"a: on\nb: 2026-03-01\nc: 012\nd: 1e3\ne: 1:30\nf: true\ng: ~\nh: '8'\n"
    values = {"a": "on", "b": "2026-03-01", "c": 12, "d": 1000.0, "e": "1:30", "f": True}
    assert read(text, "a.yaml").values == {**values, "g": None, "h": "8"}


def test_each_value_has_its_line() -> None:
    lines = read(b"# one\na: 1\nb:\n  - c: 2\n  - d\n", "a.yaml").lines
    assert lines == {("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 0, "c"): 4, ("b", 1): 5}


SECRET = "sk-abcdef1234567890"
BAD = {
    "a: &x [1]": "line 1: has an anchor (&) or an alias (*). Write the value out.",
    "a: *x": "line 1: has an anchor (&) or an alias (*). Write the value out.",
    "*x": "line 1: has an anchor (&) or an alias (*). Write the value out.",
    "b: 1\na: !!python/object/apply:os.system [x]": "line 2: has a tag (!).",
    "a: 1\n\na: 2": "line 3: has the key a twice. Keep one.",
    f"{SECRET}: 1\n{SECRET}: 2": "line 2: has the key This twice",
    "[1]: 2": "line 1: has a key that is not text.",
    "": "The file is empty.",
    "# only a comment": "The file is empty.",
    "- 1": "line 1: must be keys and values",
    SECRET: "line 1: must be keys and values",
    f"a: b: {SECRET}": 'line 1: This is not YAML. Put text that contains ": " in quotes.',
    "a:\n\t- 3": "line 2: This is not YAML. Indent with spaces instead of tabs",
    f"a: [{SECRET}": "This is not YAML. Check the indentation",
    f"a: `{SECRET}`": "line 1: This is not YAML.",
    f"a: 1\nb: '{SECRET}": "This is not YAML.",
    "a: 1\n---\nb: 2": "line 2: begins another document.",
    "a: 1\nb: \x01": "This is not YAML. Remove the control character",
    "a: " + "[" * 40: "line 1: is nested more than 30 levels deep.",
    "[" * 100_000: "line 1: must be keys and values",
    "a: [" + "1, " * MAX_EVENTS + "1]": "line 1: has more than 400,000 values.",
    "a: " + "x" * MAX_BYTES: "The file is larger than 20 MB. Move its prompts to a separate file",
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "sentence"), BAD.items(), ids=range(len(BAD)))
def test_an_unreadable_file_is_refused_with_a_message(text: str, sentence: str) -> None:
    with pytest.raises(InvalidScenario) as error:
        read(text.encode(), "folder/a.yaml")
    assert str(error.value).startswith("a.yaml")
    assert sentence in str(error.value)
    assert SECRET not in str(error.value)


def test_utf_16_is_read_and_invalid_utf_8_is_reported() -> None:
    assert read("a: é".encode("utf-16"), "a.yaml").values == {"a": "é"}
    with pytest.raises(InvalidScenario, match="The file is not UTF-8 text"):
        read(b"a: \xff\xfe", "a.yaml")
