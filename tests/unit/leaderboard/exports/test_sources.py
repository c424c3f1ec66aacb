"""Citations as components write them, read as references; known answers."""

from __future__ import annotations

import pytest

from mibench.leaderboard.exports.sources import references, sources


@pytest.mark.parametrize(
    ("citation", "found"),
    [
        ("Hanna et al. 2023, arXiv:2305.00586 (task)", [(("Hanna",), True, 2023, "2305.00586")]),
        ("Karvonen et al. 2025, SAEBench (arXiv 2503.09532)", [(("Karvonen",), True, 2025, "2503.09532")]),
        (
            "after Huang et al. 2024 (arXiv 2402.17700) and Karvonen et al. 2025 (arXiv 2503.09532)",
            [(("Huang",), True, 2024, "2402.17700"), (("Karvonen",), True, 2025, "2503.09532")],
        ),
        (
            "Chanin et al. 2024 (arXiv 2409.14507) and 2025 (arXiv 2505.11756); words of our own",
            [(("Chanin",), True, 2024, "2409.14507"), ((), False, 2025, "2505.11756")],
        ),
        (
            "Chanin and Garriga-Alonso 2026, arXiv:2602.14687",
            [(("Chanin", "Garriga-Alonso"), False, 2026, "2602.14687")],
        ),
        (
            "Karvonen et al. 2025 (arXiv 2503.09532); fails audit (arXiv 2605.18229)",
            [(("Karvonen",), True, 2025, "2503.09532"), ((), False, None, "2605.18229")],
        ),
        ("not given: a local file", []),
        ("", []),
    ],
)
def test_names_year_and_number_are_those_in_front_of_each_number(citation, found) -> None:
    assert [(one.people, one.others, one.year, one.arxiv) for one in references(citation)] == found


def test_a_citation_without_a_number_stands_as_it_is() -> None:
    (one,) = references("Python Software Foundation, the Python standard library")
    assert (one.text, one.arxiv, one.id) == ("Python Software Foundation, the Python standard library", "", one.text)


def test_a_docstring_cites_what_follows_source_up_to_the_end_of_its_paragraph() -> None:
    doc = """First line.

    Cost: as much as arXiv 1111.11111. Source: Rezaei Jafari, Eberle, Khakzar, Nanda (2025), arXiv
    2508.21258; defaults of MIB (Mueller et al. 2025), arXiv 2504.13151.

    Args:
        x: See arXiv 2222.22222.
    """
    assert [(one.people, one.year, one.arxiv) for one in sources(doc)] == [
        (("Rezaei Jafari", "Eberle", "Khakzar", "Nanda"), 2025, "2508.21258"), (("Mueller",), 2025, "2504.13151"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "cites"), [("MIB.", True), ("mibench, after MIB.", True), ("mibench; MIB has no AUROC of nodes.", False)]
)
def test_mib_is_cited_where_it_is_the_source_by_its_acronym_alone(source: str, cites: bool) -> None:
    found = [(one.people, one.others, one.year, one.arxiv) for one in sources(f"Range: [0, 1]. Source: {source}")]
    assert found == ([(("Mueller",), True, 2025, "2504.13151")] if cites else [])


def test_mib_has_names_and_year_where_only_its_number_is_given() -> None:
    (one,) = sources("Source: MIB (arXiv 2504.13151).")
    assert (one.people, one.others, one.year) == (("Mueller",), True, 2025)
