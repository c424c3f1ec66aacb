"""How pages are rendered: everything that a template puts in is escaped."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mibench.core.hashing import digest, file_digest
from mibench.core.version import code_digest
from mibench.leaderboard.columns import COSTS
from mibench.leaderboard.family_view import FACTS
from mibench.leaderboard.site.cards import inline_html
from mibench.leaderboard.site.links import (
    CONVENTIONS,
    TITLES,
    group_link,
    method_page,
    record_page,
    task_page,
    track_page,
)
from mibench.leaderboard.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parents[1] / "templates"
_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@cache
def environment() -> Environment:
    """Return the templates with what all pages need."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals |= {
        "costs": COSTS,
        "family_facts": FACTS,
        "track_titles": TITLES,
        "convention_names": CONVENTIONS,
        "track_page": track_page,
        "group_link": group_link,
        "record_page": record_page,
        "method_page": method_page,
        "task_page": task_page,
        "plain": plain,
        "prose": prose,
    }
    return made


def prose(text: str) -> Markup:
    """Return a line of a docstring, its code marked; everything in it is escaped."""
    return Markup(inline_html(text))  # noqa: S704


def render(template: str, root: str, **values: Any) -> bytes:
    """Return a page.

    Args:
        template: Its file.
        root: Way from the page's folder to the site's: empty, or ``../``.
        values: What the template shows.
    """
    return environment().get_template(template).render(root=root, **values).encode()


def script_json(value: Any) -> str:
    """Return JSON that can stand in a script, wherever that stands."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_UNSAFE)


@cache
def site_version() -> str:
    """Return the digest of templates and of the code that fills them: pages made by others are made again."""
    files = {path.name: file_digest(path) for path in sorted(TEMPLATES.iterdir()) if path.is_file()}
    return digest([code_digest("leaderboard", "metrics"), files])
