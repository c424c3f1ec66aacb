"""Attributes of cities as MIB has them (RAVEL), from the hub or from a local copy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mibench.tasks.checker import Checker
from mibench.tasks.encode import TextEncoder
from mibench.tasks.fields import Row
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.mib.hub import HubData
from mibench.tasks.ravel.rows import POSITIONS, causal_model, group, interchanges, row_parser
from mibench.tasks.ravel.words import ATTRIBUTES
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task

SETS = ("attribute", "wikipedia", "prompt_template")
_parse = row_parser(SETS)


class RavelData(HubData):
    """The hub calls the validation split ``val``; a local folder has ``validation.jsonl``, as all have."""

    def read(self, split: str, folder: str | None) -> Iterator[tuple[str, Row]]:
        """Yield where each row stands, and the row."""
        return super().read("val" if folder is None and split == "validation" else split, folder)


DATA = RavelData("mib/ravel", "mib-bench/ravel", "53dc7a4dbe84276567b895d8fb608b3f169b9276", like="ravel")


def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
    """Yield the rows of the three sets."""
    return interchanges(DATA.rows(split, _parse), SETS, encoder)


def answers(output: str) -> tuple[str, ...]:
    """Return the alternatives that commas separate, each after a space; none where nothing is asked.

    MIB trains on the raw text with its commas, cut after two tokens; here the first alternative is the label.
    """
    return tuple(f" {one.strip()}" for one in output.split(",") if one.strip())


_ALIASES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("south korea", lambda text: text.startswith("korea")),
    ("persian|farsi", lambda text: text.startswith(("persian", "farsi"))),
    ("oceania", lambda text: text.startswith("australia")),
    ("north america", lambda text: text == "na" or text.startswith("america")),
    ("mandarin|chinese", lambda text: "chinese" in text or "mandarin" in text),
)
"""Where the expected text holds the first, a cleaned text is right that the second allows."""


def accepts(written: str, output: str) -> bool:
    """Return whether two written tokens are right: MIB's rule, lenient as it is.

    In lower case and without punctuation they hold one of the alternatives that commas separate, or another name of
    it. An expected text that is empty is in every text. Rules go one way: "Australia" is right for Oceania, and
    "England" for any of United States, United Kingdom and Czech Republic.
    """
    expected = output.strip().lower()
    text = re.sub(r"[^\w\s]+", "", written.lower()).strip()
    if any(one.strip() in text for one in expected.split(",")):
        return True
    if re.search("united states|united kingdom|czech republic", expected):
        bare = written.lower().strip().replace("the ", "")
        if bare == "us" or bare.startswith((expected.replace("the ", ""), "england")):
            return True
    return any(re.search(pattern, expected) and allows(text) for pattern, allows in _ALIASES)


@variable_task(
    name="mib/ravel",
    version=1,
    variables=("Country", "Continent", "Language"),
    citation="Huang et al. 2024, arXiv:2402.17700 (RAVEL); Mueller et al. 2025, arXiv:2504.13151 (counterfactuals)",
    licence="not-stated",
    notes="Revision 53dc7a4d is as cited by third parties, not verified. Without the private test set. Rows are not "
    "rebalanced: MIB's baselines take half of them from questions for the variable, MIB's evaluator takes all. The "
    "label of several alternatives is the first. MIB's baselines leave out the set prompt_template.",
)
def mib_ravel() -> Parts:
    """Attributes of cities: country, continent and language; MIB's public splits and checker."""
    return Parts(
        causal=causal_model("mib/ravel"),
        sets=SETS,
        positions=POSITIONS,
        checker=Checker(2, answers, accepts),
        rows=rows,
        sizes=dict.fromkeys(ATTRIBUTES, "d/8"),
        training=Training(epochs=1, batch=128, lr=1e-2),
        group=group,
    )
