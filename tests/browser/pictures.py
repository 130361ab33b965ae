"""Which pages are photographed, in the order in which what they show comes to be."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from services.analysis import candidates

DESK, PHONE, WIDE = 1280, 390, 1920
OTHERS = candidates.to_text(  # two more servers, which nothing listens at
    [{"backend": "url", "base_url": f"http://127.0.0.1:{port}/v1"} for port in (8, 9)]
)
SAVED = "&".join(  # the fields of a saved server, by which the form knows it
    (
        "backend=url",
        "base_url=http%3A%2F%2F127.0.0.1%3A8002%2Fv1",
        "model=Qwen%2FQwen3-8B",
        "usd_per_hour=2.5",
    )
)
HIGHEST = 2200  # pixels; what is below is cut off


@dataclass(frozen=True)
class Picture:
    """One page as it is to be seen. `ready` is a text that stands on it once it is there; a `kept`
    one is among the pictures of the documentation, the others are only looked at."""

    name: str
    path: str
    ready: str
    width: int = DESK
    highest: int = HIGHEST
    kept: bool = True


def looked_at(name: str, path: str, ready: str) -> Picture:
    """A picture that is not kept."""
    return Picture(name, path, ready, kept=False)


FIRST = (  # of an empty database
    Picture("first-visit", "/", "Sample"),
    Picture("first-visit-phone", "/", "Sample", PHONE),
    Picture("history-empty", "/history", "no runs yet"),
    Picture(
        "unreachable", "/?backend=url&base_url=http%3A%2F%2F127.0.0.1%3A9%2Fv1", "cannot be|Nothing"
    ),
    looked_at("leaderboard-empty", "/leaderboard", "needs at least two"),
    looked_at("compare-empty", "/compare", "Compare"),
    looked_at("tasks-empty", "/batches", "no tasks yet"),
    looked_at("no-such-run", "/result?run=77", "no run 77"),
)
PICTURES = (
    Picture("run", "/?mode=staggered&requests=16", "per answer"),
    Picture("run-phone", "/?mode=staggered&requests=16", "per answer", PHONE),
    Picture(
        "comparison",
        "/?requests=8&pause_s=0&vs=mode%3Dbatch%26concurrency%3D8",
        "interleaved repeats each",
    ),
    looked_at("two-servers", "/?requests=8&vs=backend%3Durl%26base_url%3D", "Server B"),
    looked_at("three-servers", f"/?requests=8&vs={quote(OTHERS)}", "Server C"),
    looked_at("invalid", "/?requests=8&warmup=-1&pause_s=-2", "Server A"),
    Picture("history", "/history", r"4 runs\."),
    Picture("history-phone", "/history", r"4 runs\.", PHONE),
    looked_at("history-search", "/history?text=eight", r"2 runs\."),
    Picture("trend", "/history?trend=output_tokens_per_s", "getting faster"),
    Picture("leaderboard", "/leaderboard?runs=1,2,3,4", "Leaderboard"),
    Picture("result", "/result?run=2", "How fast did each"),
    Picture("result-timeline", "/result?run=2&tab=timeline", "When did|Timeline"),
    looked_at("result-numbers", "/result?run=2&tab=numbers", "Numbers"),
    looked_at("result-requests", "/result?run=2&tab=requests", "Requests"),
    looked_at("result-setup", "/result?run=2&tab=setup", "Setup"),
    Picture("compare", "/compare?runs=3,4", "compare with the baseline"),
    looked_at("compare-requests", "/compare?runs=3,4&tab=Requests", "Requests"),
    looked_at("compare-trade-offs", "/compare?runs=3,4&tab=Trade-offs", "Rank these"),
    looked_at("compare-over-time", "/compare?runs=3,4&tab=Over+time", "Over time"),
    looked_at("compare-numbers", "/compare?runs=3,4&tab=Numbers", "What are the numbers"),
    looked_at("compare-setup", "/compare?runs=3,4&tab=Setup", "What differs"),
    looked_at("compare-three", "/compare?runs=2,3,4", "compare with the baseline"),
    Picture("compare-phone", "/compare?runs=3,4", "compare with the baseline", PHONE),
    Picture("result-phone", "/result?run=2", "How fast did each", PHONE),
    Picture("backends", "/backends", "SGLang"),
    Picture("study-sweep-form", "/study?preset=concurrency", "Plan"),
    Picture("glossary", "/glossary?term=TTFT", "TTFT"),
    looked_at("document", "/glossary?document=capacity", "How it searches"),
)
LIVE = (
    Picture("live", "/live?run=5", r"of 400 requests, about"),
    Picture("live-phone", "/live?run=5", r"of 400 requests, about", PHONE),
    Picture("live-wide", "/live?run=5", r"of 400 requests, about", WIDE),
)
QUEUED = (looked_at("live-queued", "/live?run=6", "Queued: run 5"),)
WARMING = (looked_at("live-warm-up", "/live?run=7", "Warming up"),)
TASKS_GOING = (looked_at("tasks-going", "/batches", "In progress"),)
TASKS = (Picture("tasks", "/batches", "Ended"),)
COMPARING = (looked_at("live-comparison", "/live?comparison=2", "interleaved"),)
SWEEPING = (Picture("study-running", "/study?study=1", "of 4 cells"),)
SWEPT = (
    Picture("study-sweep", "/study?study=1", "cells measured", highest=4200),
    looked_at("history-study", "/history", "runs"),
)
ENDED = (  # see stored_states.py
    *(
        looked_at(f"{page}-{name}", f"/{page}?run={run_id}", "measured|kept|failed|request")
        for page in ("result", "live")
        for run_id, name in enumerate(("failed", "cancelled", "interrupted"), 1)
    ),
    looked_at("result-one-request", "/result?run=4", "How fast did each"),
    *(
        looked_at(f"compare-{name}", f"/compare?runs=5,{run_id}", "compare with the baseline")
        for run_id, name in enumerate(("faster", "equivalent", "inconclusive"), 6)
    ),
    looked_at("compare-four", "/compare?runs=5,6,7,8", "compare with the baseline"),
    looked_at("leaderboard-four", "/leaderboard?runs=5,6,7,8", "Leaderboard"),
    *(
        looked_at(f"result-{name}-{tab}", f"/result?run={run_id}&tab={tab}", "vLLM|request")
        for run_id, name in ((9, "imported"), (10, "summary"), (11, "refused"))
        for tab in ("charts", "numbers", "setup")
    ),
    looked_at("compare-refused", "/compare?runs=5,11", "compare with the baseline"),
    looked_at("trend-servers", "/history?tag=servers&trend=output_tokens_per_s", "runs"),
    looked_at("history-nothing-found", "/history?text=nobody", "match"),
    looked_at("compare-read-only", "/compare?runs=5,6&view=share", "compare with the baseline"),
    looked_at("tasks-ended", "/batches", "Ended"),
    looked_at("share-gone", "/share/gone", "does not work"),
    Picture("study-capacities", "/study?study=1", "sustains"),
    looked_at("study-capacities-form", "/study?preset=capacity&engine=vllm", "Plan"),
)
SIGNED_IN = (
    Picture("tokens", "/tokens", "nightly"),
    looked_at("history-signed-in", "/history", "runs"),
    looked_at("run-signed-in", f"/?{SAVED}", "8002/v1 · Qwen"),
)
TO_LOOK_AT = (  # of who may only look, or only start runs on saved servers
    looked_at("viewer-history", "/history", "runs"),
    looked_at("viewer-result", "/result?run=5", "How fast did each"),
    looked_at("viewer-study", "/study", "Study|studies"),
    looked_at("viewer-capacity", "/capacity", "How much load"),
)
TO_START = (
    looked_at("runner-run", "/", "gpu-old|gpu-new|Which backend"),
    looked_at("runner-tasks", "/batches", "Tasks"),
)
REFUSED = (looked_at("no-role", "/", "cannot open"),)
BROKEN = (
    looked_at("broken-run", "/", "cannot be used"),
    looked_at("broken-history", "/history", "cannot be used"),
    looked_at("broken-result", "/result?run=1", "cannot be used"),
)
SIGNED_OUT = (looked_at("sign-in", "/", "Sign in"),)
MADE_UP = (  # an engine that is not installed, and a study of it with made-up numbers
    # First, since this search ends when the supervisor finds no server.
    Picture("capacity-live", "/capacity?search=3", "of at most .* measured"),
    Picture("engines", "/engines?model=Qwen%2FQwen3-8B&tp=2", "Command"),
    Picture("study-form", "/study?preset=tensor&engine=vllm&model=Qwen%2FQwen3-8B", "Plan"),
    Picture("study", "/study?study=1", "cells measured"),
    Picture("study-phone", "/study?study=1", "cells measured", PHONE),
    Picture("study-wide", "/study?study=1", "cells measured", WIDE),
    Picture("capacity-form", "/capacity", "Up to 15 probes"),
    Picture("capacity", "/capacity?search=1", "Operating points"),
    Picture("capacity-two", "/capacity?search=2", "Operating points"),
    Picture("capacity-phone", "/capacity?search=2", "Operating points", PHONE),
    looked_at("capacity-cut-short", "/capacity?search=4", "was interrupted"),
    looked_at("capacity-read-only", "/capacity?search=2&view=share", "Operating points"),
)
