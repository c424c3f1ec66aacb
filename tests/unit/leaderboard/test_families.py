"""Families of dictionaries on the leaderboard: who belongs together, who has an area, who is ahead."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
from dictionary_records import SWEEP, dictionary_record, value, write_sweep

from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.leaderboard.build import build, check
from mibench.leaderboard.families import families, standing
from mibench.leaderboard.rows import collect, make_groups
from mibench.leaderboard.sparsity import with_l0
from mibench.leaderboard.view import GroupView, view

from .conftest import GOOD, Shelf, bytes_of

EV = "explained_variance_global"


def views(shelf: Shelf) -> list[GroupView]:
    return [view(group) for group in make_groups(with_l0(collect([shelf.store])))]


def areas(found: GroupView) -> dict[str, tuple[str, str]]:
    """Rank and first number by family."""
    return {row.family.label: (str(row.rank), row.cells[0].text) for row in found.families.rows}


def test_families_are_ranked_by_the_area_that_they_all_cover(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk", shift=0.1)
    write_sweep(shelf.store, "relu", l0=(30.0, 60.0, 120.0, 400.0))
    (found,) = views(shelf)
    middle = 0.3 + 0.1 * math.log(math.sqrt(25 * 160))
    assert areas(found) == {
        "topk": ("1a", f"{middle:.3f}"),
        "relu": ("2b", f"{0.2 + 0.1 * math.log(math.sqrt(6000)):.3f}"),
    }
    assert found.families.window == "Ranks go by the area over L0 [30, 160], which 2 of 2 families cover."
    first = found.families.rows[0]
    assert first.facts == ("3", "1", "25.0–160.0", "[25, 160]")
    assert [column.metric for column in found.families.columns] == [EV, "ce_recovered_mean"]
    assert found.families.arrows == ("↑", "↑")


def test_families_whose_difference_holds_zero_are_tied(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk", shift=0.005)
    write_sweep(shelf.store, "batchtopk")
    write_sweep(shelf.store, "relu", shift=-0.1)
    assert {name: rank for name, (rank, _) in areas(views(shelf)[0]).items()} == {
        "topk": "1a", "batchtopk": "1a", "relu": "3b",
    }  # fmt: skip


def test_sparsity_and_seed_do_not_make_a_family_and_all_else_does(shelf: Shelf) -> None:
    for seed in range(3):
        write_sweep(shelf.store, "topk", shift=0.01 * seed, seed=seed)
    write_sweep(shelf.store, "topk", more={"width": 4096})
    (found,) = views(shelf)
    rows = found.families.rows
    assert [(len(row.family.records), row.family.seeds) for row in rows] == [(9, [0, 1, 2]), (3, [0])]
    assert {row.family.label.split(" · ")[0] for row in rows} == {"topk"}
    assert len({row.family.label for row in rows}) == 2
    assert "over seeds, n = 3" in rows[0].cells[0].title


def test_a_family_without_a_frontier_is_shown_with_the_reason(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk")
    write_sweep(shelf.store, "relu", l0=(25.0, 65.0))
    write_sweep(shelf.store, "gated", l0=(20.0, 25.0, 35.0))
    write_sweep(shelf.store, "jumprelu")
    shelf.store.write(dictionary_record("jumprelu", None, params={"width": 2048, "lr": None, "k": 320}))
    (found,) = views(shelf)
    why = {row.family.label: row.cells[0].title for row in found.families.rows if row.cells[0].missing}
    assert why["relu"] == "2 sparsities, a frontier needs 3"
    assert "0.81 octaves" in why["gated"]
    assert why["jumprelu"] == "1 of 4 dictionaries failed"
    assert [str(row.rank) for row in found.families.rows] == ["1a", "–", "–", "–"]


def test_a_family_elsewhere_on_the_axis_is_not_ranked_with_the_others(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk", l0=(20.0, 40.0, 60.0))
    write_sweep(shelf.store, "relu", l0=(20.0, 40.0, 80.0))
    write_sweep(shelf.store, "gated", shift=0.5, l0=(70.0, 120.0, 180.0))
    found = {row.family.label: row.rank for row in views(shelf)[0].families.rows}
    assert found["gated"].position is None
    assert found["gated"].why == "covers L0 [70, 180], the ranked families [20, 60]"
    assert (found["topk"].position, found["relu"].position) == (1, 1)


def test_an_old_version_of_a_metric_is_not_ranked_against_the_new_one(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk", metric=2)
    write_sweep(shelf.store, "relu", shift=0.2)
    found = {row.family.label: row.rank for row in views(shelf)[0].families.rows}
    assert found["relu"].why.startswith("has version 1")
    assert found["topk"].position == 1


def test_conventions_hooks_models_and_texts_are_sections_of_their_own(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    write_sweep(shelf.store, convention=Convention.SAEBENCH)
    write_sweep(shelf.store, where={"hook": "mlp-out.L3"})
    write_sweep(shelf.store, where={"corpus": "text"})
    write_sweep(shelf.store, model="gpt2")
    found = views(shelf)
    assert len({each.group.id for each in found}) == 5
    assert all(each.families.rows[0].rank.position == 1 for each in found)
    titles = {each.group.title for each in found}
    assert "sae-core · mlp-out.L3 on smollm2-135m" in titles
    assert any("not comparable with the default rules" in note for each in found for note in each.notes)


def write_probing(shelf: Shelf, numbers=SWEEP) -> None:
    for number in numbers:
        metrics = {"probe_accuracy_k1": value(0.5 + 0.05 * math.log(number), None, ci_reason="one source")}
        params = {"width": 2048, "lr": None, "k": round(number)}
        shelf.store.write(dictionary_record("topk", metrics, params=params, task="sae-probing"))


def test_l0_comes_from_the_core_record_of_the_same_dictionary(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    write_probing(shelf)
    probing = views(shelf)[1]
    assert [row.cells[0].text for row in probing.rows] == ["25.0", "65.0", "160.0"]
    area = probing.families.areas[0][0].metric
    assert area.value == pytest.approx(0.5 + 0.05 * math.log(math.sqrt(25 * 160)))
    assert area.ci_low is None
    assert probing.heads[1].arrow == "↑"


def test_a_family_with_an_unknown_l0_has_no_area(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    write_probing(shelf, (*SWEEP, 320.0))
    probing = views(shelf)[1]
    assert [row.cells[0].text for row in probing.rows] == ["—", "25.0", "65.0", "160.0"]
    title = probing.families.rows[0].cells[0].title
    assert title == "the L0 of 1 of 4 dictionaries is not known; sae-core measures it"


def test_l0_is_taken_from_the_core_record_that_is_most_alike(shelf: Shelf) -> None:
    for number, fields in ((30.0, {"where": {"corpus": "other"}}), (25.0, {}), (40.0, {"split": "validation"})):
        params = {"width": 2048, "k": 25}
        shelf.store.write(dictionary_record("topk", {"l0": value(number, None)}, params=params, **fields))
    metrics = {"probe_accuracy_k1": value(0.7)}
    shelf.store.write(dictionary_record("topk", metrics, params=params, task="sae-probing"))
    assert views(shelf)[-1].rows[0].cells[0].text == "25.0"


@pytest.mark.parametrize("fact", [{"train_tokens": 100_000_000}, {"train_corpus": "other"}])
def test_files_with_parameters_and_another_training_are_another_family(shelf: Shelf, fact) -> None:
    for number in SWEEP:
        for own in ({}, fact):
            params = {"width": 2048, "k": round(number)}
            where = {"artifact": digest([number, own]), "facts": own | {"sha256": digest([own, number]), "d_in": 576}}
            metrics = {"l0": value(number, None), EV: value(0.1 * math.log(number))}
            shelf.store.write(dictionary_record("topk", metrics, params=params, seed=None, **where))
    rows = views(shelf)[0].families.rows
    assert [len(row.family.records) for row in rows] == [3, 3]
    assert len({row.family.label for row in rows}) == 2


def test_explained_variance_of_ordinary_tokens_has_an_area_and_autointerp_a_column(shelf: Shelf) -> None:
    for number in SWEEP:
        metrics = {"l0": value(number, None), EV: value(0.9), "explained_variance_ordinary": value(0.7)}
        shelf.store.write(dictionary_record("topk", metrics, params={"k": round(number)}))
    scored = {"autointerp_balanced_accuracy": value(0.6), "autointerp_unread": value(0.0)}
    shelf.store.write(dictionary_record("topk", scored, params={"k": 25}, task="sae-autointerp"))
    autointerp, core = sorted(views(shelf), key=lambda each: each.group.cell.task.name)
    assert [column.metric for column in core.families.columns] == [EV, "explained_variance_ordinary"]
    assert [cell.text for cell in core.families.rows[0].cells] == ["0.900", "0.700"]
    assert [head.title for head in autointerp.heads] == ["L0", "Autointerp", "Answers unread"]
    assert autointerp.families is None


def test_single_dictionaries_are_sorted_by_l0_and_never_ranked(shelf: Shelf) -> None:
    write_sweep(shelf.store, l0=(160.0, 9.0, 65.0))
    (found,) = views(shelf)
    assert [row.cells[0].text for row in found.rows] == ["9.0", "65.0", "160.0"]
    assert all(row.rank.position is None for row in found.rows)
    assert found.rows[0].rank.why == "Single dictionaries are not ranked, families are."
    assert "lr" not in found.rows[0].row.detail


def test_files_that_say_nothing_of_their_making_go_by_what_they_are(shelf: Shelf) -> None:
    for number in SWEEP:
        metrics = {"l0": value(number, None), EV: value(0.1 * math.log(number))}
        for width in (2048, 16384):
            shelf.store.write(
                dictionary_record(
                    f"average_l0_{number:.0f}_{width}",
                    metrics,
                    params={},
                    version=None,
                    seed=None,
                    artifact=digest([number, width]),
                    architecture="jumprelu",
                    facts={"d_sae": width, "sha256": digest([number, width])},
                )
            )
    (found,) = views(shelf)
    assert [len(row.family.records) for row in found.families.rows] == [3, 3]
    assert all(row.family.name == "jumprelu" for row in found.families.rows)
    assert all("handed in" in row.family.detail for row in found.families.rows)
    assert [row.rank.position for row in found.families.rows] == [1, 1]


def handed_in(shelf: Shelf, name: str, number: float, **fields) -> None:
    """One file that says nothing of its making; its bytes go by its number."""
    metrics = {"l0": value(number, None), EV: value(0.1 * math.log(number))}
    own = {"params": {}, "version": None, "seed": None, "artifact": digest(number), "architecture": "jumprelu"}
    facts = {"sha256": digest(number)}
    shelf.store.write(dictionary_record(name, metrics, **own | {"facts": facts} | fields))


def test_one_dictionary_under_several_names_counts_once(shelf: Shelf) -> None:
    for number in SWEEP:
        handed_in(shelf, f"sae_{number:.0f}", number)
    handed_in(shelf, "copy", SWEEP[0])
    (found,) = views(shelf)
    assert [len(row.family.records) for row in found.families.rows] == [3]
    assert len(found.rows) == 3
    assert "sae_25 is the same dictionary as copy, and is left out." in found.notes


def test_a_dictionary_of_a_run_that_is_also_handed_in_counts_as_the_runs(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    first = shelf.store.query()[0]
    params = {"params": dict(first.cell.method.params), "artifact": first.dictionary.sha256, "architecture": "topk"}
    handed_in(shelf, "topk", first.metrics["l0"].value, **params, facts={"sha256": first.dictionary.sha256})
    (found,) = views(shelf)
    assert [(row.family.label, len(row.family.records)) for row in found.families.rows] == [("topk", 3)]
    assert "topk is the same dictionary as topk, and is left out." in found.notes


def test_families_of_files_are_named_by_what_they_are_and_not_by_files(shelf: Shelf) -> None:
    handed_in(shelf, "sae", 25.0)
    handed_in(shelf, "sae", 65.0)
    handed_in(shelf, "another", 160.0)
    (found,) = views(shelf)
    assert {row.family.name for row in found.families.rows} == {"jumprelu"}
    assert any("named sae" in row.family.label for row in found.families.rows)


def test_what_fails_an_audit_is_said_to_and_not_ranked(shelf: Shelf) -> None:
    metrics = {"scr_metric_threshold_10": value(0.3), "l0": value(30.0)}
    shelf.store.write(dictionary_record("topk", metrics, task="sae-scr"))
    (found,) = views(shelf)
    assert found.families is None
    assert any("fails audit (arXiv 2605.18229): shown for comparison, not ranked" in note for note in found.notes)
    assert any(head.title.endswith("(fails audit)") for head in found.heads)


def test_nulls_and_oracles_are_said(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    (found,) = views(shelf)
    assert any("the mean activation at every token, and the activation itself" in note for note in found.notes)
    assert {"residual-post.L15", "sotu, contexts of 128 tokens", "test split, 40 examples"} <= set(found.facts)


def test_causal_scores_are_also_shown_after_fidelity(shelf: Shelf) -> None:
    for index in range(6):
        metrics = {
            "disentangle_err": value(0.5 + 0.04 * index + (0.03 if index == 2 else 0.0)),
            "explained_variance_rows": value(0.4 + 0.08 * index),
            "l0": value(20.0 + 10 * index),
        }
        shelf.store.write(dictionary_record("topk", metrics, params={"k": 20 + index}, task="sae-causal"))
    (found,) = views(shelf)
    assert found.heads[-1].title == "After fidelity"
    left = [float(row.cells[-1].text) for row in found.rows]
    assert sum(left) == pytest.approx(0.0, abs=3e-3)
    assert max(left) == left[2]
    assert any("Rank correlation of disentangle over these dictionaries: 1.00" in note for note in found.notes)


def test_the_page_the_sheet_and_the_text_have_families(shelf: Shelf) -> None:
    write_sweep(shelf.store, "topk", shift=0.1)
    write_sweep(shelf.store, "relu", l0=(30.0, 60.0))
    shelf.add("eap", GOOD)
    report = build(shelf.records, shelf.out)
    before = bytes_of(shelf.out)
    assert "families.csv" in report.files
    assert check(shelf.records, shelf.out) == []
    page, text = (shelf.out / "site" / "sae.html").read_text(), (shelf.out / "leaderboard.md").read_text()
    for where in (page, text):
        assert "Single dictionaries" in where
        assert "2 sparsities, a frontier needs 3" in where
    sheet = pd.read_csv(io.BytesIO(before["families.csv"]))
    topk = sheet[(sheet["family"] == "topk") & (sheet["metric"] == EV)].iloc[0]
    assert topk["area.value"] == pytest.approx(0.3 + 0.1 * math.log(math.sqrt(25 * 160)))
    assert (topk["window_low"], topk["window_high"], topk["rank"]) == (25.0, 160.0, 1)
    singles = pd.read_csv(io.BytesIO(before["leaderboard.csv"]))
    assert set(singles["l0.value"].dropna()) == {25.0, 65.0, 160.0, 30.0, 60.0}
    build(shelf.records, shelf.out)
    assert bytes_of(shelf.out) == before


def test_families_that_are_no_longer_there_leave_no_file(shelf: Shelf) -> None:
    (record, *_) = write_sweep(shelf.store, l0=(25.0,))
    shelf.add("eap", GOOD)
    build(shelf.records, shelf.out)
    shelf.store.path(record.cell).unlink()
    assert check(shelf.records, shelf.out)[-1] == "families.csv: no longer made"
    assert "families.csv" in build(shelf.records, shelf.out).removed
    assert "family" not in (shelf.out / "site" / "sae.html").read_text().lower()


def test_a_metric_that_does_not_rank_still_has_areas(shelf: Shelf) -> None:
    write_sweep(shelf.store)
    members = families(make_groups(collect([shelf.store]))[0])
    found = standing(members, EV, ranked=False)
    assert found.areas[0].metric.value is not None
    assert (found.ranks[0].position, found.window) == (None, None)


def test_metrics_without_a_column_are_shown_where_a_task_has_no_others(shelf: Shelf) -> None:
    metrics = {"l0": value(30.0), "new_score": value(0.4), "newer_score": value(0.5)}
    shelf.store.write(dictionary_record("topk", metrics, task="my-task"))
    (found,) = views(shelf)
    assert [head.title for head in found.heads] == ["L0", "new_score", "newer_score"]
    assert found.families is None
    assert "my-task is not a registered task." in found.notes
