"""`make bench`: Paceline and its peers against a server with known times, in one run."""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path
from secrets import token_hex

from bench import report
from bench.play import Problem, Result, play
from bench.tools import TOOLS, tool
from bench.work import CASES, START, Case


def main() -> None:
    options = _arguments()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for every client alike
    parts = {"machine": report.machine()}
    print(parts["machine"] + "\n")
    started = _case(START, options, 3)  # the first start in a new environment compiles its modules
    start_s = {name: min(result.cpu_s) for name, result in started.items() if result.cpu_s}
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        results = _case(case, options, options.rounds)
        parts[case.name] = report.section(case, options.rounds, report.tables(results, start_s))
        print(parts[case.name], flush=True)
        if options.write:
            report.write(options.write, parts)


def _case(case: Case, options: argparse.Namespace, rounds: int) -> dict[str, Result]:
    """Run the clients in turns. One that fails or exceeds its time is left out afterwards."""
    names = [t.name for t in TOOLS if (not options.clients or t.name in options.clients)]
    results = {name: Result() for name in names if not case.tls or tool(name).own}
    if case.rate:
        results = {name: result for name, result in results.items() if tool(name).keeps_rates}
    if case.turns > 1:
        results = {name: result for name, result in results.items() if tool(name).plays_sessions}
    for number in range(rounds):
        for name, result in results.items():
            if result.problem:
                continue
            print(f"{case.name}: {name}, round {number + 1}", file=sys.stderr, flush=True)
            try:
                play(tool(name), case, result, options.limit, token_hex(4))
            except Problem as problem:
                result.problem = str(problem)
                print(f"{name}: {problem}", file=sys.stderr, flush=True)
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    cases, clients = [case.name for case in CASES], [one.name for one in TOOLS]
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=cases, help=", ".join(cases))
    parser.add_argument(
        "--clients", nargs="+", metavar="NAME", choices=clients, help=", ".join(clients)
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each case is played")
    parser.add_argument(
        "--limit", type=float, default=180, metavar="S", help="seconds a client may take for a case"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
