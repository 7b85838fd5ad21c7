"""From plain values to a page: one file that asks for nothing, whatever the values are called."""

from collections.abc import Mapping
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from autoencoders.report.template import BASE, COMPARISON, EXPERIMENT, MACROS, REPORT

TEMPLATES = {
    "base": BASE, "macros": MACROS, "report": REPORT, "comparison": COMPARISON,
    "experiment": EXPERIMENT,
}  # fmt: skip


def render_page(template: str, page: Mapping[str, Any]) -> str:
    """Fill in a template; every text is escaped.

    Args:
        template: Its name in `TEMPLATES`.
        page: What it shows, by the names that the template has for it.

    Returns:
        HTML that refers to nothing outside of itself.

    Raises:
        jinja2.UndefinedError: If a value that the template names is missing.
    """
    environment = Environment(
        loader=DictLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, cache_size=0,
    )  # fmt: skip
    environment.filters["codes"] = _codes
    return environment.get_template(template).render(page=page, title=page["headline"])


def _codes(text: str) -> Markup:
    """Return a text in which what stands between backticks is set as code."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)
