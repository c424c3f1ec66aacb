"""SAEBench's result files: exact keys on the way out, suspicion on the way in."""

from __future__ import annotations

import json
import math
import uuid
from pathlib import Path

import pytest
from dictionary_records import MADE, dictionary_record, value
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.core.specs import Convention
from mibench.records.record import RunRecord, Volatile
from mibench.records.saebench.mapping import DIFFERENT, EVALS, NOT_IMITATED, PAIRS_LEFT_OUT, SAME
from mibench.records.saebench.read import UNDEFINED, is_result, parse_result, read_result, read_results
from mibench.records.saebench.schema import SCHEMA, file_name
from mibench.records.saebench.shipped import shipped_results
from mibench.records.saebench.write import check_result, not_exported, result_file, seeds_of

TOP = [
    "eval_type_id", "eval_config", "eval_id", "datetime_epoch_millis", "eval_result_metrics", "eval_result_details",
    "sae_bench_commit_hash", "sae_lens_id", "sae_lens_release_id", "sae_lens_version", "sae_cfg_dict",
    "eval_result_unstructured",
]  # fmt: skip
OURS = {"l0": value(31.5), "cosine": value(0.9), "dead": value(0.25), "explained_variance_global": value(0.7)}


def ours(convention=Convention.MIBENCH, metrics=None, **fields) -> RunRecord:
    return dictionary_record("topk", OURS if metrics is None else metrics, convention=convention, **fields)


def test_a_file_has_exactly_the_keys_of_the_schema() -> None:
    content = json.loads(result_file(ours()).text())
    assert list(content) == TOP
    metrics = content["eval_result_metrics"]
    assert {name: list(found) for name, found in metrics.items()} == {
        name: list(found) for name, found in SCHEMA["core"].items()
    }
    assert sum(len(found) for found in metrics.values()) == 26
    assert all(found is None or isinstance(found, int | float) for part in metrics.values() for found in part.values())


def test_every_evaluation_has_the_metrics_of_the_schema() -> None:
    assert {name: sum(map(len, found.values())) for name, found in SCHEMA.items()} == {
        "core": 26, "sparse_probing": 16, "scr": 21, "tpp": 21, "absorption_first_letter": 6, "ravel": 3,
        "unlearning": 1, "autointerp": 2, "meta_structure_decoder_variance": 3, "sparse_probing_sae_probes": 25,
    }  # fmt: skip
    for task, eval_type in EVALS.items():
        made = result_file(dictionary_record("topk", {"x": value(1.0)}, task=task))
        assert made.content["eval_type_id"] == eval_type


def test_only_numbers_of_the_same_definition_are_filled_in() -> None:
    content = result_file(ours()).content
    flat = {name: found for part in content["eval_result_metrics"].values() for name, found in part.items()}
    assert {name: found for name, found in flat.items() if found is not None} == {
        "l0": 31.5, "cossim": 0.9, "frac_alive": 0.75,
    }  # fmt: skip
    extras = content["eval_result_unstructured"]
    assert extras["null_reasons"]["explained_variance"].startswith("SAEBench divides by no variance")
    assert set(extras["null_reasons"]) == {name for name, found in flat.items() if found is None}
    assert extras["metrics"]["explained_variance_global"]["ci_low"] == pytest.approx(0.69)


def test_under_their_convention_their_names_are_filled_in() -> None:
    metrics = {"ce_loss_score": value(0.97), "explained_variance": value(0.99), "mse": value(None)}
    content = result_file(ours(Convention.SAEBENCH, metrics)).content
    assert content["eval_result_metrics"]["model_performance_preservation"]["ce_loss_score"] == 0.97
    assert content["eval_result_metrics"]["reconstruction_quality"]["explained_variance"] == 0.99
    extras = content["eval_result_unstructured"]
    assert (extras["convention"], extras["null_reasons"]["mse"]) == ("saebench-0.6", "it is undefined")


def test_a_look_alike_under_our_convention_stays_null() -> None:
    metrics = {"explained_variance": value(0.5), "ce_loss_score": value(0.5), "mse": value(0.1)}
    flat = result_file(ours(metrics=metrics)).content["eval_result_metrics"]
    assert flat["reconstruction_quality"] == dict.fromkeys(flat["reconstruction_quality"])
    assert flat["model_performance_preservation"]["ce_loss_score"] is None


def test_scr_and_tpp_have_one_definition_whatever_the_convention() -> None:
    metrics = {"tpp_threshold_10_total_metric": value(0.2)}
    for convention in (Convention.MIBENCH, Convention.SAEBENCH):
        content = result_file(ours(convention, metrics, task="sae-tpp")).content
        assert content["eval_result_metrics"]["tpp_metrics"]["tpp_threshold_10_total_metric"] == 0.2


def test_a_number_of_scr_that_leaves_pairs_out_is_not_theirs() -> None:
    left_out = value(0.4, None, ci_reason=f"{PAIRS_LEFT_OUT}: 2; fails audit")
    metrics = {"scr_dir1_threshold_2": left_out, "scr_dir2_threshold_2": value(0.2, None, ci_reason="as SAEBench")}
    for convention in (Convention.MIBENCH, Convention.SAEBENCH):
        content = result_file(ours(convention, metrics, task="sae-scr")).content
        found = content["eval_result_metrics"]["scr_metrics"]
        assert (found["scr_dir1_threshold_2"], found["scr_dir2_threshold_2"]) == (None, 0.2)
        extras = content["eval_result_unstructured"]
        assert extras["null_reasons"]["scr_dir1_threshold_2"] == PAIRS_LEFT_OUT
        assert "scr_dir2_threshold_2" not in extras["null_reasons"]
        assert extras["metrics"]["scr_dir1_threshold_2"]["value"] == 0.4


@pytest.mark.parametrize(
    "fields",
    [{"facts": {"transcoder": "plain"}}, {"facts": {"transcoder": "skip"}}, {"where": {"output": "mlp-out.L15"}}],
)
def test_a_transcoder_is_refused_by_name(fields) -> None:
    assert not_exported(ours(**fields)) == "topk is a transcoder, and SAEBench compares with what a dictionary reads"
    with pytest.raises(DataError, match="no result of SAEBench"):
        result_file(ours(**fields))


def test_what_is_said_of_bos_is_what_both_do() -> None:
    for name in ("ce_loss_score", "kl_div_score"):
        said = result_file(ours()).content["eval_result_unstructured"]["null_reasons"][name]
        assert said.startswith("SAEBench's zero ablation takes BOS and special tokens too, its replacement leaves them")


def test_mappings_name_metrics_that_are_there() -> None:
    for table in (SAME, DIFFERENT):
        for eval_type, names in table.items():
            assert set(names) <= {name for part in SCHEMA[eval_type].values() for name in part}
    assert set(NOT_IMITATED) <= set(SCHEMA)
    assert not set(SAME["core"]) & set(DIFFERENT["core"])


def test_the_same_record_gives_the_same_bytes_and_another_cell_another_id() -> None:
    first, again, other = result_file(ours()), result_file(ours()), result_file(ours(split="validation"))
    assert first.text() == again.text()
    assert first.content["eval_id"] != other.content["eval_id"]
    assert uuid.UUID(first.content["eval_id"]).version == 5
    assert first.content["datetime_epoch_millis"] == MADE.timestamp() * 1000


def test_names_have_no_slash_and_no_two_dictionaries_share_one() -> None:
    made = result_file(ours(), release="me/my saes")
    assert made.path.count("/") == 2
    assert made.name.startswith("me_my saes_topk_k-25_width-2048_seed-0_")
    assert made.name.endswith("_eval_results.json")
    assert made.name != result_file(ours(seed=1), release="me/my saes").name
    assert file_name("a/b", "c/d") == "a_b_c_d_eval_results.json"


def test_extras_name_seeds_hashes_status_and_cell() -> None:
    records = [ours(seed=seed) for seed in range(3)] + [ours(params={"k": 9})]
    assert [seeds_of(record, records) for record in records] == [3, 3, 3, 1]
    extras = result_file(records[0], n_seeds=3).content["eval_result_unstructured"]
    assert (extras["n_seeds"], extras["status"], extras["cell_id"]) == (3, "ok", records[0].cell.id)
    assert extras["dictionary"]["sha256"] == records[0].dictionary.sha256
    assert extras["made_by"] == "mibench"


def test_what_is_no_result_of_theirs_is_refused() -> None:
    failed = dictionary_record("topk", None)
    assert not_exported(failed) == "failed: Training diverged."
    timeless = ours().model_copy(update={"volatile": Volatile()})
    assert "when it was made" in not_exported(timeless)
    assert "no evaluation like sae-synthetic" in not_exported(ours(task="sae-synthetic"))
    for record in (failed, timeless):
        with pytest.raises(DataError):
            result_file(record)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["eval_result_metrics"]["sparsity"].update(l0={"mean": 1.0}),
        lambda c: c["eval_result_metrics"]["sparsity"].update(l0=True),
        lambda c: c["eval_result_metrics"]["sparsity"].update(l2=1.0),
        lambda c: c["eval_result_metrics"].pop("sparsity"),
        lambda c: c.pop("sae_cfg_dict"),
        lambda c: c.update(eval_type_id="mdl"),
        lambda c: c.update(datetime_epoch_millis=10**13),
    ],
)
def test_the_check_sees_what_is_off(change) -> None:
    content = result_file(ours()).content
    check_result(content)
    change(content)
    with pytest.raises(DataError):
        check_result(content)


def theirs(metrics=None, eval_type="core", **fields):
    found = {"sparsity": {"l0": 42.0}} if metrics is None else metrics
    raw = {"eval_type_id": eval_type, "eval_result_metrics": found, "sae_lens_version": "6.28.0"}
    return raw | {"sae_lens_id": "x", "sae_lens_release_id": "r"} | fields


def test_what_we_wrote_is_read_back_with_its_convention() -> None:
    for convention, version in ((Convention.MIBENCH, "mibench"), (Convention.SAEBENCH, "saebench-0.6")):
        made = result_file(ours(convention))
        found = parse_result(json.loads(made.text()), source=made.name)
        assert (found.version, found.metrics["l0"].value) == (version, 31.5)
        assert (found.architecture, found.d_sae, found.model) == ("topk", 2048, "smollm2-135m")
        assert found.hook == "blocks.15.hook_resid_post"


@pytest.mark.parametrize(
    ("lens", "metrics", "version"),
    [
        ("5.3.1", {"a": {"explained_variance": 0.8}}, "saebench-0.3"),
        ("4.0.0", {"a": {"mean_absorption_score": 0.8}}, "saebench-0.3"),
        ("6.28.0", {"a": {"explained_variance": 0.8, "explained_variance_legacy": 0.7}}, "saebench-0.6"),
        ("Unknown", {"a": {"explained_variance": 0.8, "explained_variance_legacy": 0.7}}, "saebench-0.6"),
        (None, {"a": {"explained_variance": 0.8}}, "saebench-0.3"),
        ("6.0.0", {"a": {"mean_absorption_fraction_score": 0.1}}, "saebench-0.6"),
        ("5.0.0", {"a": {"mean_absorption_fraction_score": 0.1}}, "saebench-0.3"),
    ],
)
def test_the_version_is_told_by_sae_lens_and_by_fields(lens, metrics, version) -> None:
    assert parse_result(theirs(metrics, sae_lens_version=lens), source="f").version == version


@pytest.mark.parametrize(
    ("lens", "metrics"),
    [
        ("Unknown", {"a": {"mean_absorption_fraction_score": 0.1}}),
        ("6.28.0", {"a": {"explained_variance": 0.8}}),
        ("5.3.0", {"a": {"explained_variance_legacy": 0.8}}),
    ],
)
def test_a_version_that_is_not_told_has_to_be_stated(lens, metrics) -> None:
    raw = theirs(metrics, sae_lens_version=lens)
    with pytest.raises(DataError, match="no usable result") as error:
        parse_result(raw, source="f")
    assert "--version" in error.value.do
    assert parse_result(raw, source="f", version="saebench-0.3").version == "saebench-0.3"


def test_a_stated_version_may_not_contradict_the_file() -> None:
    with pytest.raises(DataError):
        parse_result(theirs(), source="f", version="saebench-0.3")


def test_gaps_are_null_with_a_reason() -> None:
    raw = json.loads(json.dumps(theirs({"a": {"l0": math.nan, "cossim": -1, "mse": None, "l1": math.inf}})))
    found = parse_result(raw, source="f").metrics
    assert [found[name].value for name in ("l0", "cossim", "mse", "l1")] == [None] * 4
    assert found["cossim"].reason == UNDEFINED
    assert parse_result(theirs({"a": {"x": -1.0}}, "ravel"), source="f").metrics["x"].value == -1.0


@pytest.mark.parametrize(
    "raw",
    [
        [], "x", {}, theirs(eval_type="mdl"), theirs(eval_type=["core"]), theirs({}), theirs({"a": 1.0}),
        theirs({"a": {"b": {"c": 1.0}}}), theirs({"a": {"b": "1"}}), theirs({"a": {"b": True}}),
        theirs({"a": {"b": 1.0}, "c": {"b": 2.0}}), theirs({"a": {"<script>": 1.0}}),
        theirs({"a": {f"m{i}": 1.0 for i in range(501)}}),
    ],
)  # fmt: skip
def test_broken_results_are_refused(raw) -> None:
    with pytest.raises(DataError):
        parse_result(raw, source="f")


def test_odd_facts_are_left_out_and_long_names_cut() -> None:
    found = parse_result(theirs(sae_cfg_dict={"d_sae": -3, "hook_name": 7, "model_name": "m" * 999}), source="f")
    assert (found.d_sae, found.hook, len(found.model)) == (None, "", 200)
    assert parse_result(theirs(sae_cfg_dict=[], eval_config=3, sae_lens_id=None), source="a").sae_id == "a"
    huge = parse_result(theirs({"a": {"l0": 10**400}}), source="f").metrics["l0"]
    assert huge.value is None


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*TOP, "x"]), json_like), json_like)
def test_nothing_read_from_json_gives_a_traceback(raw, metrics) -> None:
    for changed in (raw, raw | {"eval_type_id": "core", "eval_result_metrics": metrics}):
        try:
            parse_result(changed, source="f", version="saebench-0.6")
        except MibenchError:
            continue


def test_files_and_folders_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b", "a"):
        folder = tmp_path / "core" / name
        folder.mkdir(parents=True)
        (folder / f"{name}_eval_results.json").write_text(json.dumps(theirs(sae_lens_id=name)))
    (tmp_path / "notes.json").write_text("{}")
    assert [one.sae_id for one in read_results(tmp_path)] == ["a", "b"]
    path = tmp_path / "core/a/a_eval_results.json"
    assert is_result(path)
    assert not is_result(tmp_path / "notes.json")
    assert read_results(path) == [read_result(path)]
    path.write_text('{"eval_type_id": ')
    with pytest.raises(DataError, match="no usable result"):
        read_results(tmp_path)
    path.write_text("[" * 100_000)
    with pytest.raises(DataError):
        read_result(path)
    for missing in (tmp_path / "none", tmp_path / "core" / "a" / "none"):
        with pytest.raises(UsageError):
            read_results(missing)


def test_results_that_come_with_mibench_are_those_of_the_suite() -> None:
    found = shipped_results()
    assert len(found) == 90
    assert {one.version for one in found} == {"saebench-0.3"}
    (topk,) = [one for one in found if one.sae_id == "gemma-2-2b topk 65536 L0 160"]
    assert (topk.metrics["ce_loss_score"].value, topk.hook) == (0.9943, "blocks.12.hook_resid_post")
    assert len({one.key for one in found}) == 90
