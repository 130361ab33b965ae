"""`python -m bench.people`: 25 people at once on a Paceline where they sign in.

They watch a run on Live and look at a result, each with a cookie of their own. Measured are how
long a page takes that is opened while all others watch, and the CPU that watching costs. The
goals: 95 % of pages within a second, a fifth of a core. Pages are opened by Streamlit's own
protocol, as in bench.viewers; what a browser then draws is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path
from time import monotonic

import psutil
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from bench import report
from bench.pages import store
from bench.viewers import OPENED, Viewer, app, running
from db.database import opened
from services.analysis.statistics.distribution import percentile

PEOPLE = 25
OPENINGS = 40  # while all the others watch
SETTLE_S, WATCHED_S = 10.0, 30.0  # before the CPU is measured, and while it is
PAGE_GOAL_S, CPU_GOAL = 1.0, 0.2
SECRET = "only-for-the-bench-only-for-the-bench"
SECRETS = f"""[auth]
redirect_uri = "http://127.0.0.1/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "paceline"
client_secret = "nobody's"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
"""
HEAD = ("people", "page", "opened", "median", "p95", "goal", "its CPU")


def cookie(person: int) -> str:
    """The cookie of a person who has signed in, signed as Streamlit does."""
    claims = {"email": f"person{person}@example.org", "is_logged_in": True}
    signed = create_signed_value(SECRET, USER_COOKIE_NAME, json.dumps(claims))
    return f"{USER_COOKIE_NAME}={signed.decode()}"


def signed_in(folder: str) -> dict[str, str]:
    """The settings of a Paceline in which these people sign in."""
    secrets = Path(folder) / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(SECRETS)
    return {
        "HOME": folder,
        "PACELINE_SIGN_IN": "on",
        "PACELINE_ADMINS": "person0@example.org",
        "PACELINE_VIEWERS": "@example.org",
    }


async def measured(
    port: int, process: psutil.Process, pages: dict[str, str], people: int
) -> tuple[dict[str, list[float]], dict[str, float], float]:
    """Open pages one after the other while everyone watches. Return the seconds that each took, by
    page; the server's CPU seconds for each, without those for watching; and the share of a core
    that watching takes."""
    names = list(pages)
    seats = [
        Viewer(port, name, pages[name], cookie(n))
        for n in range(people)
        for name in [names[n % len(names)]]
    ]
    watching = [asyncio.create_task(seat.watch(3600)) for seat in seats]
    await asyncio.gather(*(asyncio.wait_for(seat.opened.wait(), 120) for seat in seats))
    await asyncio.sleep(SETTLE_S)
    before = spent(process)
    await asyncio.sleep(WATCHED_S)
    cpu = (spent(process) - before) / WATCHED_S
    took: dict[str, list[float]] = {name: [] for name in names}
    cost: dict[str, float] = {}
    for name in names:
        before, began = spent(process), monotonic()
        for n in range(OPENINGS // len(names)):
            visitor = Viewer(port, name, pages[name], cookie(n % people))
            await visitor.watch(0)
            if visitor.opened_s is not None:
                took[name].append(visitor.opened_s)
        alone = spent(process) - before - cpu * (monotonic() - began)
        cost[name] = max(0.0, alone) / max(1, len(took[name]))
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return took, cost, cpu


def spent(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.people", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help="How many at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PACELINE_DATABASE_URL"] = f"sqlite:///{folder}/paceline.db"
        store(opened(), 1, OPENED // 5)
        pages = {"live": f"run={running(opened())}", "result": "run=1"}
        with app(folder, **signed_in(folder)) as (port, process):
            took, cost, cpu = asyncio.run(measured(port, process, pages, options.people))
    rows = [
        (
            str(options.people),
            name,
            str(len(times)),
            f"{percentile(times, 50):.2f} s",
            f"{percentile(times, 95):.2f} s",
            f"{PAGE_GOAL_S:g} s",
            f"{cost[name]:.2f} s",
        )
        for name, times in took.items()
    ]
    lines = (HEAD, ("---",) * len(HEAD), *rows)
    print(report.machine(), *("| " + " | ".join(row) + " |" for row in lines), sep="\n")
    print(f"CPU while {options.people} watch: {cpu:.0%} of a core (goal {CPU_GOAL:.0%})")
    print(f"Load average: {os.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")


if __name__ == "__main__":
    main()
