"""A result or a comparison as one HTML file that opens offline, anywhere, for years.

Everything is inside: tables as HTML, charts as data beside one copy of Vega. Its own content
security policy forbids every request, and every script and style but its own, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson
import vl_convert
from markupsafe import Markup

from services import VERSION, charts, theme
from services.compare import Candidate
from services.export import texts as said
from services.export.contents import contents
from services.export.document import content_hash
from services.export.public import public

HERE = Path(__file__).resolve().parent
LONGEST = 300  # characters of the description, which a preview cuts anyway
_POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]*)"')


def page_html(candidates: Sequence[Candidate], texts: bool = False) -> bytes:
    """Write one to eight runs, the reference first, as a page; prompts and answers are only in it
    where `texts` asks for them."""
    told = [public(candidate) for candidate in candidates]
    drawer = (HERE / "page.js").read_text(encoding="utf-8")
    drawn = [_drawn(chart, told) for chart in charts.CHARTS if len(told) >= chart.least]
    drawn = [chart for chart in drawn if chart["specs"] or chart["nothing"]]
    found = contents(told)
    page = _template("page.html.j2").render(
        contents=found,
        description=found.description[:LONGEST],
        runs=[_run(candidate) for candidate in told],
        several=len(told) > 2,
        places=theme.positions([candidate.run.id for candidate in told]),
        charts=drawn,
        talks=said.talks(told) if texts else [],
        most_talks=said.MOST,
        specs=_json_in_html([chart["specs"] for chart in drawn if chart["specs"]]),
        policy=_policy(_style(), _vega(), drawer),
        style=Markup(_style()),
        vega=Markup(_vega()),
        drawer=Markup(drawer),
        version=VERSION,
    )
    return page.encode()


def notice_html(title: str, sentence: str) -> bytes:
    """Write a page of the same look that only says something."""
    template = _template("notice.html.j2")
    style = _style()
    page = template.render(
        title=title, sentence=sentence, policy=_policy(style), style=Markup(style)
    )
    return page.encode()


def policy_of(page: bytes) -> str:
    """Return the policy that a page, of which the first lines are enough, has for itself."""
    found = _POLICY.search(page)
    return html.unescape(found[1].decode()) if found else "default-src 'none'"


def _run(candidate: Candidate) -> dict[str, Any]:
    run = candidate.run
    return {"id": run.id, "label": theme.label(run), "sha256": content_hash(candidate)}


def _drawn(chart: charts.Chart, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """What the template needs of a chart; its data once, and how they look in light and dark."""
    about = {"name": chart.name, "question": chart.question, "nothing": chart.nothing}
    looks = {}
    datasets: Any = None
    for name, dark in (("light", False), ("dark", True)):
        drawn = chart.draw(candidates, dark=dark)
        if drawn is None:
            return {**about, "specs": None}
        looks[name] = charts.spec(drawn, dark)
        del looks[name]["$schema"]
        datasets = looks[name].pop("datasets")
    return {**about, "specs": {"name": chart.name, **looks, "datasets": datasets}}


def _json_in_html(value: Any) -> Markup:
    """JSON without any character that could end the element it stands in."""
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
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


@cache
def _style() -> str:
    return _template("page.css.j2").render(light=theme.LIGHT, dark=theme.DARK)


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
