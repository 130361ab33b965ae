"""Short labels for the runs of a comparison, made of what distinguishes them.

The headline, tables, charts, files and the terminal all use these labels, so that a run has the
same name everywhere. Labels are never cut off: long ones have fewer words instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from services.analysis.compare.candidate import Candidate, label_of_single
from services.analysis.compare.differences import read_fields
from services.ask import about, link
from services.ask.backends import BACKENDS, server_text
from services.ask.config import RunConfig
from services.ask.measurement import VIA_LITELLM, Run
from services.ask.modes import size_of
from services.base.units import many

LONGEST = 40  # characters of a label: longer ones do not fit a phone's legend or a column's heading
LONG = 24  # characters of one part: words common to all runs are removed from longer parts
PART = " · "  # between the parts of a label, and of a generated name
OUR_CLIENT = "Paceline's client"
BATCH = "batch "  # before the number of requests
ALWAYS = ("backend", "model", "mode")  # named if they differ; others only if needed
SAID_FIRST = ("backend", "base_url", "model", "mode")
_WORDS = re.compile(r".*[\s/_:·-]", re.DOTALL)

TellApart = Callable[[Sequence[Run]], list[str]]


def labelled(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the runs with the labels that distinguish them from each other."""
    texts = labels([candidate.run for candidate in candidates])
    pairs = zip(candidates, texts, strict=True)
    # An unchanged candidate is kept, with everything it has cached.
    return [each if each.label == text else replace(each, label=text) for each, text in pairs]


def labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return a unique label of at most LONGEST characters for each of the runs.

    A label is the run's name, if users gave all runs short and unique names. Otherwise it is what
    distinguishes the run's config; failing that, its name; failing that, its number. It mentions
    LiteLLM if its overhead is part of the numbers, and the tool that measured the run if not all
    runs were measured by the same.
    """
    if len(runs) < 2:
        return tuple(map(label_of_single, runs))
    origins = _origins(runs)
    room = LONGEST - max(len(PART + text) if text else 0 for text in origins)
    distinct = _typed_names(runs, room) or _of_engines(runs, room) or _of_configs(runs, WORK, room)
    if any(origins):
        origins = [w or OUR_CLIENT * (not own) for own, w in zip(distinct, origins, strict=True)]
    for tell_apart in (_of_names, lambda some: _of_configs(some, OTHERS, room)):
        distinct = _disambiguate(distinct, origins, runs, tell_apart)
    texts = [_joined(pair) for pair in zip(distinct, origins, strict=True)]
    return tuple(
        text
        if text and texts.count(text) == 1 and len(text) <= LONGEST
        else _with_run_number(text, run)
        for text, run in zip(texts, runs, strict=True)
    )


def names(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the runs' names, as lists of runs show them; if two are the same, their `labels`."""
    own = tuple(run.name for run in runs)
    return own if len({*own}) == len(own) else labels(runs)


def labels_of_configs(configs: Sequence[RunConfig], left_out: Collection[str] = ()) -> list[str]:
    """Return what distinguishes each config from the others, "batch 8"; "" if nothing does."""
    names = [name for name in (*WORK, "client", *OTHERS) if name not in left_out]
    return _shortest_labels([_facts(config) for config in configs], names, LONGEST)


def distinguishing(texts: Sequence[str], longest: int = LONG) -> list[str]:
    """Return the texts. If one is longer than `longest`, the words that all begin and end with are
    removed, unless nothing would be left of one; a text that is still too long is cut to its first
    words, if these are unique."""
    if max(map(len, texts), default=0) <= longest or len(set(texts)) < 2:
        return list(texts)
    middles = _strip_common_ends(texts)
    starts = [text if len(text) <= longest else _cut_at_word(text, longest) for text in middles]
    alike = len(set(starts)) < len(set(middles))
    return middles if alike or not all(starts) else starts


def _strip_common_ends(texts: Sequence[str]) -> list[str]:
    start = len(_first_words(texts))
    end = len(_first_words([text[start:][::-1] for text in texts]))
    brief = [text[start : len(text) - end] for text in texts]
    return brief if all(brief) else list(texts)


def _first_words(texts: Sequence[str]) -> str:
    """The whole words that all texts begin with, including the separators after them."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))
    words = _WORDS.match(first[:same])
    return words[0] if words else ""


def _cut_at_word(text: str, longest: int) -> str:
    words = _WORDS.match(text[: longest + 1])
    return words[0].rstrip(" /_:·-") if words else ""


def _joined(parts: Sequence[str]) -> str:
    return PART.join(filter(None, parts))


def _origins(runs: Sequence[Run]) -> list[str]:
    """LiteLLM always, since its overhead is part of the numbers; a tool if not all runs are from
    it."""
    through = [run.through for run in runs]
    same = len(set(through)) == 1 and through[0] != VIA_LITELLM
    return ["" if same else text for text in through]


def _typed_names(runs: Sequence[Run], room: int) -> list[str]:
    """The names that users gave the runs, or [] if one is missing or generated (of several
    parts)."""
    names = [" ".join(run.name.split()) for run in runs]
    typed = all(name and PART not in name and len(name) <= room for name in names)
    return names if typed and len(set(names)) == len(names) else []


def _of_engines(runs: Sequence[Run], room: int) -> list[str]:
    """Labels of runs whose engines were started for them, or []. The engine's settings are not in
    the run's config, but in the name that the study gave the run."""
    if all(run.engine_id is None for run in runs):
        return []
    names = _of_names(runs)
    return names if len(set(names)) == len(names) and max(map(len, names)) <= room else []


def _of_configs(runs: Sequence[Run], names: Sequence[str], room: int) -> list[str]:
    known = [
        {name: value for name, value in _facts(run.config).items() if run.knows(name)}
        for run in runs
    ]
    return _shortest_labels(known, [name for name in names if _comparable(name, runs, known)], room)


def _comparable(name: str, runs: Sequence[Run], known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field differs, and not only because some runs' files do not state it."""
    values = {repr(facts[name]) for facts in known if name in facts}
    return len(values) > 1 or all(run.knows(name) for run in runs)


def _of_names(runs: Sequence[Run]) -> list[str]:
    """What distinguishes the runs' names: the parts between middle dots that not all have. Of long
    names, only the parts that no other name has, without the words that all of these begin and end
    with."""
    parts = [" ".join(run.name.split()).split(PART) for run in runs]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set()
    brief = [_joined([part for part in own if part not in common]) for own in parts]
    if not all(brief):
        brief = list(map(_joined, parts))
    shared = Counter(part for own in parts for part in set(own))
    alone = [_joined([part for part in own if shared[part] == 1]) for own in parts]
    pairs = zip(brief, alone, strict=True)
    return distinguishing([own if own and len(text) > LONG else text for text, own in pairs])


def _facts(config: RunConfig) -> dict[str, Any]:
    """The config fields that the run uses; the mode of a batch includes its size."""
    read = read_fields(config)
    if config.mode == "batch":
        read["mode"] = f"{BATCH}{size_of(config)}"
    return read


def _shortest_labels(
    facts: Sequence[Mapping[str, Any]], names: Sequence[str], room: int
) -> list[str]:
    """What distinguishes the runs, in as few fields as possible."""
    chosen: dict[str, list[str]] = {}
    brief = [""] * len(facts)
    for name in names:
        for texts in _value_texts(name, facts):
            more = _join_in_order(chosen | {name: texts}) if len(set(texts)) > 1 else brief
            needed = name in ALWAYS or len(set(filter(None, more))) > len(set(filter(None, brief)))
            if needed and more is not brief and max(map(len, more)) <= room:
                chosen[name], brief = texts, more
                break
    return brief


def _value_texts(name: str, facts: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Texts for the values of a field: in full first, then shortened."""
    texts = _words(name, facts)
    return [texts, distinguishing(texts)] if name == "model" else [texts]


def _join_in_order(chosen: Mapping[str, Sequence[str]]) -> list[str]:
    names = [name for name in (*SAID_FIRST, *chosen) if name in chosen]
    columns = [chosen[name] for name in dict.fromkeys(names)]
    return list(map(_joined, zip(*columns, strict=True)))


def _words(name: str, facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Texts for the values of a field; "" for runs that do not use it, and for all if only some
    runs use it and these have the default."""
    values = [fact[name] for fact in facts if name in fact]
    default = RunConfig.model_fields[name].default
    if len(values) < len(facts) and all(value == default for value in values):
        return [""] * len(facts)
    if name in NUMBERED:
        texts = list(dict.fromkeys(map(link.text_of, values)))
        numbers = {text: f"{NUMBERED[name]} {number}" for number, text in enumerate(texts, 1)}
        return [numbers[link.text_of(fact[name])] if name in fact else "" for fact in facts]
    texts_of_field = [_word(name, fact[name], fact) if name in fact else "" for fact in facts]
    if name == "mode" and any(fact.get("concurrency") for fact in facts):
        return _loads(texts_of_field)
    return _models(texts_of_field) if name == "model" else texts_of_field


def _loads(modes: Sequence[str]) -> list[str]:
    """Labels of the modes if one of the runs limits concurrency: `concurrency 8` if all are
    batches."""
    if not all(mode.startswith(BATCH) for mode in modes):
        return list(modes)
    return [f"concurrency {mode.removeprefix(BATCH)}" for mode in modes]


def _models(names: Sequence[str]) -> list[str]:
    ends = [name.rstrip("/").rpartition("/")[2] for name in names]
    apart = ends if len(set(ends)) == len(set(names)) else list(names)
    variants = any(one != other and other.startswith(one) for one in apart for other in apart)
    return apart if variants and max(map(len, apart)) <= LONGEST else distinguishing(apart)


def _word(name: str, value: Any, facts: Mapping[str, Any]) -> str:
    about_field = about.fields(RunConfig)[name]
    if name == "backend":
        return _server(value, facts.get("base_url"))
    if name == "base_url":
        return urlsplit(value).netloc if value else "its own address"
    if name in ("mode", "model", "workload") or (name == "dialect" and value):
        return str(value)
    if name == "client":
        return VIA_LITELLM if value == "litellm" else OUR_CLIENT
    if name in ("requests", "repeats"):
        return many(value, name.removesuffix("s"))
    shown = _value(value, about_field.empty)
    unit = f" {about_field.unit}" if about_field.unit and value is not None else ""
    return f"{name.removesuffix('_s').replace('_', ' ')} {shown}{unit}"


def _value(value: Any, empty: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return empty if value is None else link.text_of(value) or "none"


def _server(backend: str, address: str | None) -> str:
    """A server by the label of its backend; an unknown backend by its address."""
    if backend == "embedded":
        return backend
    if backend == "url" and address:
        return server_text(backend, address)
    return BACKENDS[backend].label if backend in BACKENDS else backend


def _disambiguate(
    distinct: Sequence[str], origins: Sequence[str], runs: Sequence[Run], tell_apart: TellApart
) -> list[str]:
    """Add to labels that several runs share what distinguishes these, if it fits."""
    texts = list(distinct)
    for indexes in _repeated_indices(
        [_joined(pair) for pair in zip(distinct, origins, strict=True)]
    ):
        among = indexes if len(indexes) > 1 else range(len(runs))
        more_of = dict(zip(among, tell_apart([runs[index] for index in among]), strict=True))
        more = [more_of[index] for index in indexes]
        whole = [_joined((distinct[index], more_of[index])) for index in indexes]
        fits = all(
            len(_joined((w, origins[p]))) <= LONGEST for w, p in zip(whole, indexes, strict=True)
        )
        if fits and all(more) and len(set(more)) == len(more):
            for index, text in zip(indexes, whole, strict=True):
                texts[index] = text
    return texts


def _repeated_indices(texts: Sequence[str]) -> Iterator[Sequence[int]]:
    """The indices of the texts that occur several times, and of empty ones."""
    for text in dict.fromkeys(texts):
        indexes = [index for index, other in enumerate(texts) if other == text]
        if len(indexes) > 1 or not text:
            yield indexes


def _with_run_number(text: str, run: Run) -> str:
    whole = f"{text} (run {run.id})"
    return whole if text and len(whole) <= LONGEST else f"run {run.id}"


NUMBERED = {  # fields with long or private texts, whose contents are not shown
    "prompt": "prompt",
    "prompts": "prompts",
    "trace": "trace",
    "headers": "headers",
    "extra_body": "extra fields",
    "ca_file": "CA file",
}
# In the order in which they are tried, the most informative first.
WORK = tuple(
    name
    for name in dict.fromkeys((*ALWAYS, "base_url", "requests", *about.fields(RunConfig)))
    if about.fields(RunConfig)[name].role in ("target", "work") and name != "seed"
)
# If nothing else distinguishes them. `Run.through` gives the client.
OTHERS = (
    "seed",
    *about.names(RunConfig, lambda known: known.role == "client" and known.title != "Client"),
)
