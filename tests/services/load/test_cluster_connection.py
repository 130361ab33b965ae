"""Connecting to a Ray cluster whose head fails to start a server for this client."""

from __future__ import annotations

from typing import Any

import pytest

from services.load.nodes.driver import ATTEMPTS, ClusterProblem, connect

ADDRESS = "ray://127.0.0.1:10001"
ABORTED = ConnectionAbortedError(  # what Ray 2.60 raises
    "Initialization failure from server:\nTraceback (most recent call last):\n"
    '  File "proxier.py", line 780, in Datapath\n'
    "RuntimeError: Proxy failed to Connect to backend! Check `ray_client_server.err`.\n"
)


class Ray:
    """Its `init` fails with each of these errors, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.attempts, self.shutdowns = list(errors), 0, 0

    def init(self, address: str, **_: Any) -> None:
        assert address == ADDRESS and self.shutdowns == self.attempts
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)

    def shutdown(self) -> None:
        self.shutdowns += 1


def test_a_failed_start_of_the_server_for_this_client_is_tried_again() -> None:
    ray = Ray(ABORTED)
    connect(ray, ADDRESS)
    assert ray.attempts == 2


def test_a_head_that_always_fails_is_reported_with_its_reason() -> None:
    ray = Ray(*[ABORTED] * ATTEMPTS)
    with pytest.raises(ClusterProblem, match="be used: RuntimeError: Proxy failed to Connect"):
        connect(ray, ADDRESS)
    assert ray.attempts == ATTEMPTS


def test_an_unreachable_head_is_reported_at_once() -> None:
    ray = Ray(ConnectionError("ray client connection timeout.\nSee the log."))
    with pytest.raises(ClusterProblem, match=r"cannot be used: ray client connection timeout\.$"):
        connect(ray, ADDRESS)
    assert ray.attempts == 1
