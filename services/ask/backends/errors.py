"""Why a request to a backend cannot be made, in a sentence that says what to do."""

from __future__ import annotations

from services.base.errors import Invalid


class BackendProblem(Invalid):
    """A backend that cannot be used; the message says why and what to do. `field` is the one that
    names what cannot be used."""

    field = "backend"


class ClusterProblem(BackendProblem):
    """A cluster that cannot send the requests."""

    field = "on"


class KeyProblem(BackendProblem):
    """A key is missing or was rejected; `details` is the server's answer, if there is one."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details
