from __future__ import annotations

import pytest


@pytest.fixture
def path(store, make_cell):
    return store.path(make_cell("eap"))


def test_a_record_is_found_by_its_path_and_by_the_beginning_of_its_id(run, store, path):
    by_path = run("show", path, "--json").json
    by_id = run("show", path.stem[:8], "--records", store.folder, "--json").json
    assert by_path == by_id
    assert by_path[0]["cell_id"] == path.stem
    assert by_path[0]["metrics"]["cpr"]["value"] == store.read(path.stem).metrics["cpr"].value


def test_the_panel_has_numbers_intervals_curve_cost_and_the_note_of_the_model(run, store, path):
    shown = run("show", path).out
    record = store.read(path.stem)
    cmd, point = record.metrics["cmd"], record.curves["faithfulness_signed"][3]
    for text in (
        path.stem,
        "ioi v1, validation, the first 30 examples",
        "SmolLM2-135M-Instruct, dequantised from GGUF Q4_1",
        f"{cmd.value:.3f} [{cmd.ci_low:.3f}, {cmd.ci_high:.3f}]",
        f"{point.value:.3f} [{point.ci_low:.3f}, {point.ci_high:.3f}]",
        "0.749",
        "1.5 s, peak 1.00 GiB, 60 forward and 0 backward passes, 30 examples",
        "examples (600 rows)",
    ):
        assert text in shown


def test_a_failed_record_says_what_why_and_what_to_do(run, store, make_cell):
    shown = run("show", store.path(make_cell("attribution"))).out
    assert all(text in shown for text in ("The method ran out of memory.", "9 GiB were wanted.", "Use less."))


def test_several_records_are_shown_in_the_order_asked_for(run, store, make_cell):
    paths = [store.path(make_cell("random", seed=0)), store.path(make_cell("eap"))]
    assert [one["cell_id"] for one in run("show", *paths, "--json").json] == [path.stem for path in paths]


def test_an_ambiguous_beginning_is_refused_with_the_candidates(run, store, path):
    other = path.with_name(path.stem[:6] + "0" * 26 + ".json")
    other.write_bytes(path.read_bytes())
    ran = run("show", path.stem[:6], "--records", store.folder)
    assert ran.status == 2
    assert path.stem in ran.err
    assert other.stem in ran.err


def test_a_broken_record_is_status_1_without_a_traceback(run, path):
    path.write_text('{"schema_version": 1, "cell": ')
    ran = run("show", path)
    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert "why:" in ran.err


def test_a_folder_is_not_a_record(run, store):
    ran = run("show", store.folder)
    assert ran.status == 2
    assert "mibench list records" in ran.err
