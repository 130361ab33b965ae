"""`doctor`: checks this machine and the settings of Paceline."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from cli.output import DONE, FAILED, print_result
from jobs.doctor import Context, healthy, run_checks
from services.base import settings
from services.report import terminal


def add_arguments(command: ArgumentParser) -> None:
    """No arguments."""


def doctor(options: Namespace) -> int:
    """Check the environment, database, limits, engines and keys; exit with 1 if something is
    wrong."""
    findings = run_checks(Context(settings.environment()))
    sound = healthy(findings)
    document = {"healthy": sound, "findings": [asdict(finding) for finding in findings]}
    print_result(options, lambda: document, lambda: terminal.findings_text(findings))
    return DONE if sound else FAILED
