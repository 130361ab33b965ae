"""Diagnostics of what is between the client's clock and the server: another library, a proxy, an
unchecked certificate."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.ask.measurement import Measurement, Run


def through_proxy(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.environment.get("through_proxy"):
        return None
    return Diagnostic(
        "note",
        "Measured through a proxy",
        "The environment names a proxy for this server (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY), and "
        "its overhead is part of every time. Add the server's name to NO_PROXY to measure without "
        "it.",
    )


def certificate_unchecked(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.config.insecure_tls:
        return None
    return Diagnostic(
        "warning",
        "The server's certificate was not checked",
        "Any certificate was accepted (insecure_tls), so another server may have answered. Set "
        "ca_file to the file of its certificate authority to have it checked.",
    )


def _via_litellm(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not run.config.via_litellm:
        return None
    return Diagnostic(
        "warning",
        "Measured through LiteLLM",
        "LiteLLM's overhead is part of every time here, for each request and each chunk. Compare "
        "only with other runs through LiteLLM, or use Paceline's own client if the backend "
        "supports the OpenAI API.",
    )


CHECKS = (_via_litellm, through_proxy, certificate_unchecked)
