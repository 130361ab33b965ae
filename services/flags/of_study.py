"""A study as flags, and back: what is varied, and every field of its runs and of its engines.

What is not given is as its preset begins.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from services.ask import about
from services.ask.config import READERS, readers
from services.ask.flag import flag
from services.flags.kinds import whole
from services.flags.of_field import add, given
from services.flags.of_run import Misused, run, values
from services.servers.engines import EngineConfig
from services.studies.flat import AXES, SPREAD, read
from services.studies.presets import PRESETS
from services.studies.study_config import StudyConfig, parse_study

WRITTEN = {
    **dict.fromkeys(AXES, "1,8,32"),
    "parallel": "'TP=1; TP=2 PP=2'",
    "chunked": "on,off",
    "usd_per_gpu_hour": "USD",
}
OF_ENGINE = tuple(name for name in EngineConfig.model_fields if name not in ("engine", *SPREAD[:3]))


def study(command: ArgumentParser) -> None:
    command.add_argument("--preset", choices=[*PRESETS], default="tensor", help="(default: tensor)")
    add(command, EngineConfig, ["engine"], defaults=False)
    for name, example in WRITTEN.items():
        text = about.fields(StudyConfig)[name].help
        command.add_argument(flag(name), dest=name, metavar=example, help=text)
    run(command, defaults=False)
    add(command, EngineConfig, (n for n in OF_ENGINE if n != "model"), defaults=False)
    command.add_argument("--plan", action="store_true", help="Only say what would be measured")


def one(command: ArgumentParser) -> None:
    command.add_argument("study", type=whole, metavar="STUDY")


def resumed(command: ArgumentParser) -> None:
    one(command)
    command.add_argument("--failed", action="store_true", help="The cells that failed, too")


def asked(options: Namespace) -> StudyConfig:
    """Return the study that was asked for.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
        Misused: flags that do not go together.
    """
    start = read(
        {
            name: getattr(options, name)
            for name in ("preset", "engine", *WRITTEN)
            if getattr(options, name) is not None
        }
    )
    load, engine = values(options), _of_engine(options)
    if start.engine is None and engine.keys() - {"model"}:
        raise Misused(f"{flag(min(engine.keys() - {'model'}))} is for an engine: give --engine.")
    if start.engine is not None:
        _only_one_server(load)
        load.pop("model", None)
    return parse_study(
        {
            **start.model_dump(),
            "run": {**start.run.model_dump(), **_workload(load), **load},
            "engine": start.engine and {**start.engine.model_dump(), **engine},
        }
    )


def _of_engine(options: Namespace) -> dict[str, Any]:
    return {
        name: value for name, value in given(options, EngineConfig).items() if name in OF_ENGINE
    }


def _only_one_server(load: dict[str, Any]) -> None:
    if named := [name for name in ("backend", "base_url") if name in load]:
        raise Misused(
            f"{flag(named[0])} is for a server that is there, and Paceline starts an engine here: "
            "leave it out, or choose --preset concurrency, clients or batch_length."
        )


def _workload(load: dict[str, Any]) -> dict[str, Any]:
    """The workload that reads what was given, where none was named."""
    texts = [name for name in READERS if name in load]
    return {"workload": readers(texts)[0]} if texts else {}
