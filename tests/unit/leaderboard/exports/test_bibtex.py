"""What records rest on, as BibTeX: every registered citation can be read."""

from __future__ import annotations

import re

from mibench.leaderboard.exports.bibtex import bibtex, key, listed
from mibench.leaderboard.exports.cited import cited
from mibench.leaderboard.exports.sources import references
from mibench.tasks.load import REGISTRY

from ..conftest import GOOD, Shelf  # noqa: TID252


def test_a_record_cites_its_task_its_method_and_its_metrics(shelf: Shelf) -> None:
    works = {one.reference.arxiv: one for one in cited([shelf.add("eap-ig-inputs", GOOD)])}
    assert works["2211.00593"].uses[-1] == "task ioi"
    assert "method eap-ig-inputs" in works["2403.17806"].uses
    assert works["2403.17806"].reference.people == ("Hanna", "Pezzelle", "Belinkov")
    assert "metric idle_share_1pct" in works["2211.00593"].uses
    assert {"metric cmd", "metric cpr"} <= set(works["2504.13151"].uses)


def test_entries_have_names_year_and_number_and_no_title_that_nobody_declared(shelf: Shelf) -> None:
    text = bibtex(cited([shelf.add("eap-ig-inputs", GOOD)]))
    assert text.startswith("@software{mibench,")
    (entry,) = re.findall(r"@misc\{hanna2024-240317806,.*?\n\}", text, re.DOTALL)
    for line in (
        "author = {Hanna and Pezzelle and Belinkov},",
        "title = {{arXiv:2403.17806}},",
        "year = {2024},",
        "eprint = {2403.17806},",
    ):
        assert line in entry
    assert text.count("{") == text.count("}")


def test_every_key_of_every_task_is_one_work() -> None:
    found = [one for task in REGISTRY.components.values() for one in references(str(task.metadata["citation"]))]
    assert len(found) > 20
    by_key = {}
    for one in found:
        assert re.fullmatch(r"[a-z]+\d*-[a-z0-9]+", key(one))
        assert by_key.setdefault(key(one), one.id) == one.id


def test_records_of_nothing_known_cite_mibench_alone(shelf: Shelf) -> None:
    works = cited([shelf.fail("my.py:own", task="my-pairs")])
    assert (works, listed(works)) == ([], [])
    assert bibtex(works).count("@") == 1
