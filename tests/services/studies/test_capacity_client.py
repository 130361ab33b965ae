"""When it is the client that limits a probe of a capacity, not the server."""

from __future__ import annotations

import pytest

from services.analysis.capacity import parse_objectives
from services.ask.measurement import Measurement
from services.studies.capacity_probe import client_limited

ASKED = parse_objectives(
    ["ttft:p95<0.2", "e2e:p95<2"]
)  # so 10 ms is too late: a twentieth of 0.2 s


def sent(late_s: list[float]) -> list[Measurement]:
    return [
        Measurement(0, index, "ok", t_due=float(index), t_send=index + late)
        for index, late in enumerate(late_s)
    ]


@pytest.mark.parametrize(
    ("late_s", "is_limited"),
    [
        ([0.0] * 100, False),
        ([0.008] * 100, False),  # late, but by less than would decide
        ([0.012] * 10 + [0.0] * 90, True),
        ([0.012] + [0.0] * 30, False),  # one of few is no sign of anything
        ([0.012] * 15 + [0.0] * 985, False),  # 1 % within chance
        ([0.012] * 20 + [0.0] * 980, True),
        ([], False),
    ],
)
def test_a_client_is_the_limit_if_it_is_late_beyond_chance(
    late_s: list[float], is_limited: bool
) -> None:
    assert client_limited(ASKED, sent(late_s)) is is_limited
