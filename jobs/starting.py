"""Starting a supervisor."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

from sqlalchemy import Engine

from jobs.place import ROOT, log_of
from services.base import settings


def start(database: Engine, held: int) -> None:
    """Start a supervisor that has the place `held`, so that nobody starts another meanwhile.

    Raises:
        QueueProblem: its log cannot be written.
    """
    url = database.url.render_as_string(hide_password=False)
    with log_of(database) as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs", str(held)],
            cwd=ROOT,
            env={**settings.without_file(), "PACELINE_DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[held],
            start_new_session=True,  # it outlives the terminal and the web server
        )
    Thread(target=process.wait, daemon=True).start()  # or its end leaves a zombie with us
