"""The requests of a run as arrays say the same as one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from services.analysis.metric_arrays import latenesses, metric_array
from services.analysis.metrics import METRICS, lateness
from services.ask.measurement import Measurement
from services.ask.measurements import NUMBERS, READ_TOGETHER, TEXTS, as_table, read_together
from tests.values import failed, measured


def some(count: int = 400) -> list[Measurement]:
    """Requests of every kind: times, counts and texts are there, missing, zero or equal."""
    chance = Random(7)
    return [_one(index, chance) for index in range(count)]


def _one(index: int, chance: Random) -> Measurement:
    status = chance.choice(["ok", "ok", "ok", "failed", "cancelled"])
    whole = measured(index, repeat=index // 150, ttft=chance.random(), e2e=1 + chance.random())
    fields = ("t_send", "t_first", "t_answer", "t_last", "t_end", "prompt_tokens", "output_tokens")
    lost = {name: None for name in fields if chance.random() < 0.1}
    odd = chance.choice([{}, {}, {"output_tokens": 0}, {"output_tokens": 1}, {"t_first": 3.0}])
    waits = {"cap_wait_s": chance.choice([None, 0.1]), "attempts": chance.choice([1, 1, 2])}
    phases = {n: chance.choice([None, 0.0, 0.3]) for n in ("server_queue_s", "load_s", "prefill_s")}
    return replace(whole, status=status, **{**lost, **odd, **waits, **phases})


@pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)
def test_an_array_of_a_metric_is_the_metric_of_each_request(entry: object) -> None:
    rows = some()
    single = [entry.of(m) for m in rows]  # type: ignore[attr-defined]
    array = metric_array(rows, entry.name).tolist()  # type: ignore[attr-defined]
    assert [None if math.isnan(value) else value for value in array] == single


def test_an_array_of_lateness_is_the_lateness_of_each_request() -> None:
    rows = some()
    array = latenesses(rows).tolist()
    assert [None if math.isnan(value) else value for value in array] == list(map(lateness, rows))


def test_every_field_is_an_array_or_texts() -> None:
    rows = some()
    table = as_table(rows)
    for name in TEXTS:
        texts = table.texts(name)
        assert [texts.words[code] for code in texts.codes] == [getattr(m, name) for m in rows]
    for name in set(NUMBERS) & set(Measurement.__dataclass_fields__):
        known = [None if math.isnan(value) else value for value in table.numbers(name)]
        assert known == [getattr(m, name) for m in rows]


def test_a_selection_of_requests_behaves_like_a_sequence() -> None:
    rows = some()
    table = as_table(rows)
    good = table.where(table.are("ok"))
    assert good == [m for m in rows if m.status == "ok"]
    assert good[3] == list(good)[3]
    assert good[-1] == list(good)[-1]
    assert good[2:90:7] == list(good)[2:90:7]
    assert good.at(np.array([5, 1])) == [good[5], good[1]]
    assert good.where(good.numbers("repeat") == 1).numbers("index").min() >= 150
    with pytest.raises(IndexError):
        good[len(good)]


def test_texts_are_counted_in_order_of_appearance() -> None:
    rows = [failed(0, "timeout"), measured(1), failed(2, "connect"), failed(3, "timeout")]
    assert list(as_table(rows).texts("error_class").counts().items()) == [
        ("timeout", 2),
        (None, 1),
        ("connect", 1),
    ]


def test_a_number_too_large_for_a_float_is_unknown() -> None:
    assert math.isnan(as_table([measured(output_tokens=10**400)]).numbers("output_tokens")[0])


def test_chunks_that_were_read_together_are_counted() -> None:
    m = replace(measured(), token_times=(1.0, 1.0, 2.0, 3.0, 3.0, 3.0), coalesced_reads=2)
    assert read_together(m) == 5
    assert as_table([m, measured(1)]).numbers(READ_TOGETHER).tolist() == [5, 0]
