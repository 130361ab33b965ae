"""How an engine is set up in a study, what it is called, and what it is held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.servers.engines import EngineConfig
from services.servers.engines.config import parallel_label
from services.studies.cell import Cell

LONGEST = 40  # characters of a setting in a name
PARALLEL = ("tp", "pp", "dp")
SPREAD = ("nodes", "executor", "start_timeout_s")  # how the ranks are placed, not how many


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run the model. `engine` None: a server that was there already, at `server`
    (backend, address, model)."""

    engine: EngineConfig | None
    server: tuple[str, str, str] = ("", "", "")

    @property
    def ranks(self) -> int | None:
        """Devices that it takes; None where Paceline did not start it."""
        return self.engine.ranks if self.engine else None

    @property
    def variant(self) -> tuple[object, ...]:
        """All that it has beside its ranks: configurations of one variant are one scaling curve."""
        if self.engine is None:
            return self.server
        left = [n for n in EngineConfig.model_fields if n not in (*PARALLEL, *SPREAD)]
        return tuple(getattr(self.engine, name) for name in left)


def configuration_of(cell: Cell) -> Configuration:
    if cell.engine is None:
        config = cell.config
        return Configuration(None, (config.backend, config.base_url or "", config.model))
    return Configuration(cell.engine.model_copy(update={"start_timeout_s": 1.0}))


def baseline_of(one: Configuration, among: Sequence[Configuration]) -> Configuration:
    """Return what a configuration is held against: the fewest ranks of its own variant; of the
    whole study where its variant has no other number of ranks. TP comes before PP and DP."""
    own = [other for other in among if other.variant == one.variant]
    scales = len({other.ranks for other in own}) > 1
    return min(own if scales else among, key=order_of)


def order_of(one: Configuration) -> tuple[int, int, int, int]:
    """Fewest ranks first; those that are not known last."""
    if one.engine is None:
        return 10**6, 0, 0, 0
    return one.engine.ranks, one.engine.dp, one.engine.pp, one.engine.tp


def labels_of(among: Iterable[Configuration]) -> dict[Configuration, str]:
    """Name each configuration: how it is parallel, and what else is not the same in all; with a
    number where that is not enough."""
    found = list(among)
    engines = [one.engine for one in found if one.engine]
    differing = [
        name
        for name in EngineConfig.model_fields
        if name not in PARALLEL and len({getattr(engine, name) for engine in engines}) > 1
    ]
    named: dict[Configuration, str] = {}
    for one in found:
        label = _label(one, found, differing)
        same = sum(_label(other, found, differing) == label for other in named)
        named[one] = f"{label} ({same + 1})" if same else label
    return named


def _label(one: Configuration, among: Sequence[Configuration], differing: Sequence[str]) -> str:
    if one.engine is None:
        servers = [other.server for other in among if other.engine is None]
        parts = [part for at, part in enumerate(one.server) if len({s[at] for s in servers}) > 1]
        return " · ".join(filter(None, parts)) or one.server[0] or "the server"
    said = [_word(name, getattr(one.engine, name)) for name in differing]
    return " · ".join([parallel_label(one.engine), *filter(None, said)])


def _word(name: str, value: object) -> str:
    if name in ("engine", "dtype"):
        return str(value)
    if name == "model":
        return str(value).rstrip("/").rpartition("/")[2] or "packaged model"
    words = name.replace("_", " ")
    if name == "extra":
        return shortened(str(value)) or "no extra arguments"
    if value is None or value == "":
        return f"{words} not set"
    if isinstance(value, bool):
        return f"{words} {'on' if value else 'off'}"
    return f"{words} {shortened(str(value))}"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
