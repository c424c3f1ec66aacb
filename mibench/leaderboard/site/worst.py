"""The examples that a record does worst on: names and numbers, never a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mibench.core.errors import StoreError
from mibench.core.specs import Track
from mibench.leaderboard.rows import Entry
from mibench.leaderboard.text import plain

if TYPE_CHECKING:
    import pandas as pd

MOST = 10


@dataclass(frozen=True)
class Worst:
    """A small table.

    Attributes:
        title: What the examples are worst by.
        heads: Titles of the columns.
        rows: Texts.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def worst_examples(entry: Entry) -> Worst | None:
    """Return the worst examples of a record; None where its tables are not at hand, or do not tell.

    Of circuits those whose score the circuits miss by most, of causal variables those whose answer at the chosen site
    is unlikeliest, of dictionaries the contexts that are reconstructed worst.
    """
    record = entry.record
    read = _READERS.get(record.cell.track)
    if record.status != "ok" or read is None:
        return None
    try:
        return read(entry)
    except (StoreError, KeyError, ValueError, TypeError):
        # A table of another shape, such as one of an older version, is no reason to have no page.
        return None


def _circuit(entry: Entry) -> Worst:
    examples, ends = _table(entry, "examples"), _table(entry, "endpoints").set_index("example")
    examples = examples[examples["ranking"] == "absolute"]
    whole = ends["clean"].reindex(examples["example"]).to_numpy()
    missed = examples.assign(missed=(examples["value"] - whole).abs()).groupby("example")["missed"].mean()
    frame = ends.assign(missed=missed).sort_values(["missed"], ascending=False, kind="stable")
    title = "The model's score less the circuit's, magnitude, mean over sizes (absolute ranking)"
    return _shown(title, frame.reset_index(), {"example": "example", "missed": "missed by", "clean": "whole model",
                                                "empty": "empty circuit"})  # fmt: skip


def _variable(entry: Entry) -> Worst:
    examples, chosen = _table(entry, "examples"), _table(entry, "selection")
    group = chosen.loc[chosen["chosen"].astype(bool), "group"].iloc[0]
    wrong = examples[(examples["group"] == group) & ~examples["correct"].astype(bool)]
    by = "label_logprob" if "label_logprob" in wrong else "contrast"
    frame = wrong.assign(asks=wrong["cause"].map({True: "must change", False: "must stay"}))
    columns = {"set": "set", "example": "example", "asks": "answer", by: "log-probability of the right answer"}
    title = f"Wrong answers at the chosen site ({len(wrong)}), the least likely first"
    return _shown(title, frame.sort_values(by, kind="stable"), columns)


def _dictionary(entry: Entry) -> Worst:
    contexts = _table(entry, "contexts")
    error = contexts["squared_error"] / contexts["squared_deviation"]
    frame = contexts.assign(unexplained=error, active=contexts["active"] / contexts["tokens"])
    columns = {"context": "context", "unexplained": "variance unexplained", "active": "latents a token",
               "tokens": "tokens"}  # fmt: skip
    return _shown("Contexts by the share of variance that is not explained", frame.sort_values(
        "unexplained", ascending=False, kind="stable"), columns)  # fmt: skip


_READERS: Mapping[Track, Callable[[Entry], Worst]] = MappingProxyType(
    {Track.CIRCUIT: _circuit, Track.VARIABLE: _variable, Track.SAE: _dictionary}
)


def _table(entry: Entry, name: str) -> pd.DataFrame:
    return entry.store.table(entry.record, name)


def _shown(title: str, frame: pd.DataFrame, columns: Mapping[str, str]) -> Worst:
    rows = [tuple(map(_text, values)) for values in frame[list(columns)].head(MOST).itertuples(index=False)]
    return Worst(title, tuple(columns.values()), tuple(rows))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(str(value), 40)
