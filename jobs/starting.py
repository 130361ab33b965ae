"""Starting a supervisor."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

from sqlalchemy import Engine

from jobs.supervisor_lock import open_log
from services.base import settings
from services.base.root import ROOT


def start(database: Engine, lock: int) -> None:
    """Start a supervisor that inherits the open `lock`, so that nobody else starts one meanwhile.

    Raises:
        QueueProblem: its log cannot be written.
    """
    url = database.url.render_as_string(hide_password=False)
    with open_log(database) as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs", str(lock)],
            cwd=ROOT,
            env={**settings.without_file(), "PACELINE_DATABASE_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[lock],
            start_new_session=True,  # it outlives the terminal and the web server
        )
    Thread(target=process.wait, daemon=True).start()  # reaps it, or it would stay as a zombie
