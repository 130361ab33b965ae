"""A result or a comparison as one self-contained HTML file that opens offline.

Tables are HTML, charts are data for an included copy of Vega. Its content security policy forbids
all requests, and all scripts and styles but its own, by hash. Altair takes long to import, so only
functions that draw import it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from markupsafe import Markup

from services import VERSION
from services.analysis.compare import Candidate
from services.analysis.compare.labels import labelled
from services.analysis.compare.marks import SIGNS
from services.base.table import is_broken
from services.base.units import unbroken
from services.report import theme
from services.report.export.contents import Contents, contents
from services.report.export.document import content_hash
from services.report.export.exchanges import MOST, Exchange, exchanges_of
from services.report.export.public import public

if TYPE_CHECKING:
    import altair as alt
    import jinja2

    from services.report.charts import Chart

HERE = Path(__file__).resolve().parent
LONGEST = 300  # characters of the description; previews cut longer ones
_POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]*)"')


class Drawable(Protocol):
    """A chart of a page."""

    @property
    def name(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def nothing(self) -> str: ...


def page_html(candidates: Sequence[Candidate], texts: bool = False) -> bytes:
    """Return one to eight runs, the baseline first, as a page; with `texts` it includes prompts and
    answers."""
    from services.report.charts import CHARTS

    cleaned = labelled([public(candidate) for candidate in candidates])
    shown = [_chart_data(chart, cleaned) for chart in CHARTS if len(cleaned) >= chart.least]
    shown = [chart for chart in shown if chart["specs"] or chart["nothing"]]
    hashes = map(content_hash, cleaned)
    runs = [_run(*each) for each in zip(cleaned, hashes, strict=True)]
    return render(contents(cleaned), shown, runs, exchanges_of(cleaned) if texts else [])


def render(
    page_contents: Contents,
    shown: Sequence[dict[str, Any]],
    runs: Sequence[dict[str, Any]],
    exchanges: Sequence[tuple[str, Sequence[Exchange]]] = (),
) -> bytes:
    """Return a page. `shown` are charts from `chart_data`; `runs` have `id`, `label` and
    `sha256`."""
    script = (HERE / "page.js").read_text(encoding="utf-8")
    page = _template("page.html.j2").render(
        contents=page_contents,
        is_broken=is_broken,
        description=page_contents.description[:LONGEST],
        runs=runs,
        several=len(runs) > 2,
        sections=list(_sections(page_contents, shown)),
        signs=defaultdict(str, {sign: mark for mark, sign in SIGNS.items()}),
        colours=theme.positions([run["id"] for run in runs]),
        charts=shown,
        exchanges=exchanges,
        most_exchanges=MOST,
        specs=_json_in_html([chart["specs"] for chart in shown if chart["specs"]]),
        policy=_policy(_style(), _vega(), script),
        style=Markup(_style()),
        vega=Markup(_vega()),
        script=Markup(script),
        version=VERSION,
    )
    return page.encode()


def _sections(
    page_contents: Contents, shown: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield the contents of a page: the first chart of each group, and every table."""
    groups = {chart["group"]: chart["name"] for chart in reversed(shown)}
    yield from ((groups[group], group) for group in dict.fromkeys(c["group"] for c in shown))
    for table in (*page_contents.results, *page_contents.circumstances):
        yield table.title.lower().replace(" ", "-"), table.title


def notice_html(title: str, sentence: str, link: tuple[str, str] | None = None) -> bytes:
    """Return a page in the same style with only a message, and a link: its text and its address."""
    template = _template("notice.html.j2")
    style = _style()
    page = template.render(
        title=title, sentence=sentence, link=link, policy=_policy(style), style=Markup(style)
    )
    return page.encode()


def policy_of(page: bytes) -> str:
    """Return the content security policy of a page; its first lines are enough."""
    match = _POLICY.search(page)
    return html.unescape(match[1].decode()) if match else "default-src 'none'"


def _run(candidate: Candidate, content_sha256: str) -> dict[str, Any]:
    return {"id": candidate.run.id, "label": candidate.label, "sha256": content_sha256}


def _chart_data(chart: Chart, candidates: Sequence[Candidate]) -> dict[str, Any]:
    return chart_data(chart, lambda dark: chart.draw(candidates, dark=dark))


def chart_data(entry: Drawable, draw: Callable[[bool], alt.LayerChart | None]) -> dict[str, Any]:
    """Return a chart for a page: its data once, and its light and dark specs."""
    from services.report.charts import spec
    from services.report.charts.caption import split_caption

    about = {
        "name": entry.name,
        "question": entry.question,
        "nothing": entry.nothing,
        "caption": "",
    }
    about["group"] = getattr(entry, "group", "Charts")  # a study's chart has one
    looks = {}
    datasets: dict[str, Any] = {}
    for name, dark in (("light", False), ("dark", True)):
        chart = draw(dark)
        if chart is None:
            return {**about, "specs": None}
        about["caption"], looks[name] = split_caption(spec(chart, dark))
        del looks[name]["$schema"]
        datasets |= looks[name].pop("datasets")  # labels differ in colour
    return {**about, "specs": {"name": entry.name, **looks, "datasets": datasets}}


def _json_in_html(value: Any) -> Markup:
    """Return JSON that cannot end the script element that contains it."""
    return Markup(orjson.dumps(value).decode().replace("<", "\\u003c"))


def _policy(style: str, *scripts: str) -> str:
    allowed = f"script-src {' '.join(map(_hash, scripts))}; " if scripts else ""
    return (
        f"default-src 'none'; {allowed}style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script of 0.9 MB, from the installed package."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


@cache
def _style() -> str:
    return _template("page.css.j2").render(light=theme.LIGHT, dark=theme.DARK)


@cache
def _template(name: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    return environment.get_template(name)
