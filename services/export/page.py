"""A result or a comparison as one HTML file that opens offline, anywhere, for years.

Everything is inside: tables as HTML, charts as data beside one copy of Vega. Its own content
security policy forbids every request and every script but its two, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson
import vl_convert
from markupsafe import Markup

from services import charts, theme
from services.compare import Candidate
from services.export.contents import contents

HERE = Path(__file__).resolve().parent


def page_html(candidates: Sequence[Candidate]) -> bytes:
    """Write one to eight runs, the reference first, as a page without prompts and answers."""
    drawer = (HERE / "page.js").read_text(encoding="utf-8")
    drawn = [_drawn(chart, candidates) for chart in charts.CHARTS if len(candidates) >= chart.least]
    drawn = [chart for chart in drawn if chart["specs"] or chart["nothing"]]
    page = _template().render(
        contents=contents(candidates),
        charts=drawn,
        specs=_json_in_html([chart["specs"] for chart in drawn if chart["specs"]]),
        policy=_policy(_vega(), drawer),
        vega=Markup(_vega()),
        drawer=Markup(drawer),
        light=theme.LIGHT,
        dark=theme.DARK,
    )
    return page.encode()


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


def _policy(*scripts: str) -> str:
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script of 0.9 MB, from the installed package."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
