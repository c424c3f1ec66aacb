"""The page of latents: everything is shown as it is, nothing in a text acts, and bytes repeat."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mibench.artifacts.dictionaries.latent_cards import Card, Deck, Effect, Snippet, Token
from mibench.plots.cards import cards_page

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '" onmouseover="alert(3)',
    "' autofocus onfocus='x",
    "<img src=x onerror=alert(4)>",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "&lt;b&gt;",
    "--></style><b>",
    "\u202eevil\u2066",
    "\x00\x1b[31m",
    "\ud800",
)
OF_DRAWINGS = {"viewbox", "role", "aria-label", "x1", "x2", "y1", "y2", "x", "y", "width", "height", "text-anchor"}
OF_PAGES = {"lang", "charset", "http-equiv", "content", "name", "class", "hidden", "type", "placeholder", "value", "id"}
ALLOWED = OF_DRAWINGS | OF_PAGES | {"href", "title"}


def deck(texts=("a", " cat", "\n"), values=(None, 2.0, 0.5), peak=1, **more):
    tokens = tuple(Token(text, value) for text, value in zip(texts, values, strict=True))
    effects = tuple(Effect(text, 0.25) for text in texts)
    cards = (
        Card(7, "most active", 0.25, 1.5, 2.0, (Snippet(tokens, peak, 0),), effects, effects),
        Card(3, "random", 0.01, 0.5, 1.0, (Snippet((Token("dog", 1.0),), 0, 4),)),
    )
    return Deck(cards, np.array([0.0, 0.25, 0.01, 1.0]), 400, 1.26, **more)


class Page(HTMLParser):
    """Elements, their attributes, and text by element."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag):
        return [data for name, data in self.texts if name == tag]


def test_cards_have_their_numbers_and_tokens_are_shaded_with_the_number_on_hover():
    page = Page(cards_page(deck(), "Cards"))
    assert [one["data-latent"] for one in page.of("article")] == ["7", "3"]
    assert {"active on 25 % of tokens", "largest 2", "mean when active 1.5"} <= set(page.text("span"))
    looks = [(one.get("class"), one["title"]) for one in page.of("span") if "title" in one]
    assert looks == [("out", "not evaluated"), ("a10 peak", "2"), ("a3", "0.5"), ("a10 peak", "1")]
    assert "↵\n" in page.text("span")


def test_a_latent_without_logit_effects_has_no_row_for_them():
    page = Page(cards_page(deck(), "Cards"))
    assert len(page.of("dl")) == 1
    assert page.text("code") == ["a", " cat", "↵\n"] * 2


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_and_does_not_act(text):
    plain = cards_page(deck(), "Cards")
    facts = {"model": text, text: "x"}
    page = cards_page(deck((text, text, text), facts=facts, notes=(text,)), text)
    found, expected = Page(page), Page(plain)
    assert [tag for tag, _ in found.elements if tag not in {"li", "p", "b"}] == [
        tag for tag, _ in expected.elements if tag not in {"li", "p", "b"}
    ]
    assert len(found.of("b")) == len(expected.of("b")) + 2
    for tag, attributes in found.elements:
        assert set(attributes) <= ALLOWED | {name for name in attributes if name.startswith("data-")}, tag
    assert found.text("script") == expected.text("script")
    assert not re.search(r"[\u202e\u2066\x00\x1b]", page.decode())


def test_what_can_be_shown_of_a_hostile_text_is_shown_as_it_is():
    page = Page(cards_page(deck(("<script>", "{{ 7 * 7 }}", "&lt;"), peak=0), "<b>"))
    assert {"<script>", "{{ 7 * 7 }}", "&lt;"} <= set(page.text("span"))
    assert page.text("h1") == ["<b>"]


def test_the_policy_lets_only_the_own_script_run_and_nothing_is_loaded():
    page = cards_page(deck(), "Cards")
    (policy,) = [one["content"] for one in Page(page).of("meta") if one.get("http-equiv")]
    (script,) = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert b"http://" not in page
    assert b"https://" not in page
    assert b"url(" not in page


def test_the_histogram_counts_every_latent_once():
    page = Page(cards_page(deck(), "Cards"))
    counts = [int(words.split(" of ")[0]) for words in page.text("title") if "latents," in words]
    assert sum(counts) == 4
    assert any("1 of 4 latents, never active" in words for words in page.text("title"))


def test_it_can_be_read_without_the_script():
    page = Page(cards_page(deck(), "Cards"))
    assert [one for one in page.of("article") if "hidden" in one] == []
    (tools,) = [one for one in page.of("div") if one.get("class") == "tools"]
    assert "hidden" in tools


def test_a_dictionary_that_is_never_active_has_a_page_that_says_so():
    empty = Deck((), np.zeros(3), 10, 0.0)
    assert "No latent is ever active on this text." in Page(cards_page(empty, "Cards")).text("p")


def test_the_same_deck_gives_the_same_bytes():
    assert cards_page(deck(), "Cards") == cards_page(deck(), "Cards")
