"""A study's configurations: their labels, their order, and the baseline of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.ask.backends import server_text
from services.servers.engines import ENGINES, EngineConfig
from services.servers.engines.config import parallel_label
from services.studies.cell import Cell, MeasuredCell

LONGEST = 60  # characters of one value in a label; some arguments contain a whole file
PARALLEL = ("tp", "pp", "dp")
OPTION = re.compile("--?[A-Za-z]")  # "-1" is a value
SPREAD = ("nodes", "executor", "start_timeout_s")  # where the ranks are, not how many there are


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run the model. `engine` is None for an existing server, at `server` (backend,
    address, model)."""

    engine: EngineConfig | None
    server: tuple[str, str, str] = ("", "", "")

    @property
    def ranks(self) -> int | None:
        """Number of devices; None if Paceline did not start the engine."""
        return self.engine.ranks if self.engine else None

    @property
    def variant(self) -> tuple[object, ...]:
        """All settings except the ranks; configurations of one variant form one scaling curve."""
        if self.engine is None:
            return self.server
        left = [n for n in EngineConfig.model_fields if n not in (*PARALLEL, *SPREAD)]
        return tuple(getattr(self.engine, name) for name in left)


def configuration_of(cell: Cell) -> Configuration:
    if cell.engine is None:
        config = cell.config
        return Configuration(None, (config.backend, config.base_url or "", config.model))
    return Configuration(cell.engine.model_copy(update={"start_timeout_s": 1.0}))


def baseline_of(configuration: Configuration, among: Sequence[Configuration]) -> Configuration:
    """Return the configuration to compare with: the one with the fewest ranks of the same variant,
    or of the whole study if the variant has only one number of ranks. TP comes before PP and DP."""
    own = [other for other in among if other.variant == configuration.variant]
    scales = len({other.ranks for other in own}) > 1
    return min(own if scales else among, key=sort_key)


def sort_key(configuration: Configuration) -> tuple[int, int, int, int]:
    """Sort key: fewest ranks first, unknown ones last."""
    engine = configuration.engine
    if engine is None:
        return 10**6, 0, 0, 0
    return engine.ranks, engine.dp, engine.pp, engine.tp


def labels_of(among: Iterable[Configuration]) -> dict[Configuration, str]:
    """Return a label for each configuration: its parallelism and the settings that differ, with a
    number if labels would be equal."""
    configurations = list(among)
    engines = [configuration.engine for configuration in configurations if configuration.engine]
    differing = [
        name
        for name in EngineConfig.model_fields
        if name not in PARALLEL and len({getattr(engine, name) for engine in engines}) > 1
    ]
    named: dict[Configuration, str] = {}
    for configuration in configurations:
        label = _label(configuration, configurations, differing)
        same = sum(_label(other, configurations, differing) == label for other in named)
        named[configuration] = f"{label} ({same + 1})" if same else label
    return named


def engine_labels(engines: Iterable[EngineConfig | None]) -> dict[EngineConfig, str]:
    """Return a label for each engine of a study: its kind, its parallelism and what differs."""
    known = {engine: Configuration(engine) for engine in engines if engine is not None}
    labels = labels_of(known.values())
    return {
        engine: f"{ENGINES[engine.engine].label} · {labels[configuration]}"
        for engine, configuration in known.items()
    }


def _label(
    configuration: Configuration, among: Sequence[Configuration], differing: Sequence[str]
) -> str:
    if configuration.engine is None:
        servers = [other.server for other in among if other.engine is None]
        parts = [
            part
            for at, part in enumerate(configuration.server)
            if len({s[at] for s in servers}) > 1
        ]
        return " · ".join(filter(None, parts)) or server_name(*configuration.server)
    shared = _shared_flags(other.engine for other in among if other.engine is not None)
    settings = [
        _extra_label(configuration.engine, shared)
        if name == "extra"
        else _setting_label(name, getattr(configuration.engine, name))
        for name in differing
    ]
    return " · ".join([parallel_label(configuration.engine), *filter(None, settings)])


def _shared_flags(engines: Iterable[EngineConfig]) -> set[str]:
    """Return the extra arguments that all engines have."""
    return set.intersection(*(set(_flags(engine)) for engine in engines))


def _extra_label(engine: EngineConfig, shared: set[str]) -> str:
    """Return the extra arguments that not all engines have."""
    own = [shortened(flag) for flag in _flags(engine) if flag not in shared]
    return " ".join(own) or f"no {'other' if shared else 'extra'} arguments"


def _flags(engine: EngineConfig) -> list[str]:
    """Return the extra arguments, each option with its value: "--seed 1"."""
    flags: list[str] = []
    for argument in engine.extra_arguments:
        if flags and not OPTION.match(argument):
            flags[-1] += f" {argument}"
        else:
            flags.append(argument)
    return flags


def server_name(backend: str, address: str, model: str) -> str:
    """Return the name of an existing server: its model, otherwise its address or backend."""
    brief = model.rstrip("/").rpartition("/")[2]
    return shortened(brief) or server_text(backend, address) or backend or "the server"


def with_known_models(cells: Sequence[MeasuredCell]) -> list[MeasuredCell]:
    """Fill in the model of cells that did not name one, if other cells of the same server were
    always answered by the same model: they are the same configuration."""
    models: dict[tuple[str, str | None], set[str]] = {}
    for measured in cells:
        config = measured.cell.config
        models.setdefault((config.backend, config.base_url), set()).add(config.model)
    return [_with_model(measured, models) for measured in cells]


def _with_model(
    measured: MeasuredCell, models: Mapping[tuple[str, str | None], set[str]]
) -> MeasuredCell:
    cell, config = measured.cell, measured.cell.config
    known = models[config.backend, config.base_url] - {""}
    if cell.engine is not None or config.model or len(known) != 1:
        return measured
    (model,) = known
    named = replace(cell, config=config.model_copy(update={"model": model}))
    return replace(measured, cell=named)


def _setting_label(name: str, value: object) -> str:
    if name in ("engine", "dtype"):
        return str(value)
    if name == "model":
        return str(value).rstrip("/").rpartition("/")[2] or "packaged model"
    name_text = name.replace("_", " ")
    if value is None or value == "":
        return f"{name_text} not set"
    if isinstance(value, bool):
        return f"{name_text} {'on' if value else 'off'}"
    return f"{name_text} {shortened(str(value))}"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
