"""Submissions that are made to harm: none runs anything, none passes, and each is refused soon, with its fault named.

Known from the boards that this one replaces: a pickle that runs on the evaluator's machine, results of the submitter's
own that are taken for scores, and files of another model.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle  # noqa: TID251  hostile files are made with it, never read
import struct
import tarfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from dictionary_examples import example
from submission_cases import (
    FILE,
    GRAPH,
    MODEL,
    NAME,
    TASK,
    change,
    entry,
    failed,
    good,
    manifest,
    put,
    scores,
    write_manifest,
)

from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.files import save_scores
from mibench.core.files import MIB
from mibench.graph.graph import Graph
from mibench.intake.check import check_submission
from mibench.intake.failures import MAX_SHOWN
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.model_sizes import ModelSizes
from mibench.intake.reading import artifact_faults

SECONDS = 2.0
MUTATIONS = 80


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self):
        return Path.touch, (self.flag,)


@pytest.fixture(autouse=True, scope="module")
def _warm(tmp_path_factory):
    """Imports and the planted model's folder are no part of the time that a case takes."""
    assert check_submission(good(tmp_path_factory.mktemp("warm"))).passed


@pytest.fixture
def folder(tmp_path):
    return good(tmp_path)


def refused(path, *words):
    started = time.perf_counter()
    report = failed(path, *words)
    assert time.perf_counter() - started < SECONDS
    return report


# Programs in place of data.


def torch_file(payload):
    stream = io.BytesIO()
    torch.save({"cfg": payload}, stream)
    return stream.getvalue()


def numpy_file(payload):
    stream = io.BytesIO()
    np.savez(stream, x=np.array([payload], dtype=object))
    return stream.getvalue()


PROGRAMS = {
    "torch": (torch_file, "zip archive"),
    "npz": (numpy_file, "zip archive"),
    "pickle 0": (lambda payload: pickle.dumps(payload, 0), "pickle"),
    "pickle 2": (lambda payload: pickle.dumps(payload, 2), "pickle"),
    "pickle 4": (lambda payload: pickle.dumps(payload, 4), "pickle"),
    "npy": (lambda payload: b"\x93NUMPY\x01\x00" + pickle.dumps(payload), "numpy"),
    "elf": (lambda _: b"\x7fELF" + bytes(200), "program"),
    "exe": (lambda _: b"MZ" + bytes(200), "Windows program"),
    "script": (lambda _: b"#!/bin/sh\ntouch ran\n", "script"),
    "gzip": (lambda payload: gzip.compress(pickle.dumps(payload)), "gzip"),
    "python": (lambda _: b"import os\nos.system('touch ran')\n", "not what its name says"),
}


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("kind", PROGRAMS)
def test_programs_renamed_to_data_do_not_run(folder, tmp_path, kind, suffix):
    flag = tmp_path / "ran"
    make, word = PROGRAMS[kind]
    put(folder, make(Payload(flag)), f"artifacts/a{suffix}")
    refused(folder, word)
    assert not flag.exists()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".npz", ".py", ".so", ".bin", ""])
def test_files_of_other_kinds_cannot_be_listed(folder, tmp_path, suffix):
    put(folder, torch_file(Payload(tmp_path / "ran")), f"artifacts/a{suffix}")
    refused(folder, "is no .safetensors or .json file")
    assert not (tmp_path / "ran").exists()


def test_json_is_for_circuits_only(folder):
    put(folder, b"{}", "artifacts/a.json", track="variable", level=None, variable="answer")
    refused(folder, "is no .safetensors file")


@pytest.mark.parametrize("name", ["method.py", "artifacts/__init__.py", "setup.sh", "conftest.py", "artifacts/x.pt"])
def test_code_beside_the_artifacts_is_refused(folder, name):
    (folder / name).write_text("import os\n", encoding="utf-8")
    refused(folder, f"{name} does not belong here")


def test_a_file_that_is_marked_as_executable_is_refused(folder):
    (folder / FILE).chmod(0o755)
    refused(folder, "executable")


def test_a_script_in_the_readme_is_refused(folder):
    (folder / "README.md").write_text("#!/bin/sh\n", encoding="utf-8")
    refused(folder, "script")


def test_a_readme_that_steers_a_terminal_is_refused(folder):
    (folder / "README.md").write_text("\x1b]0;title\x07", encoding="utf-8")
    refused(folder, "U+001B")


# Results in place of artifacts.


@pytest.mark.parametrize("name", ["zz_results.json", "records/0a/record.json", "artifacts/record.json", "scores.jsonl"])
def test_records_of_ones_own_are_refused(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('{"metrics": {"cpr": 9.9}}', encoding="utf-8")
    refused(folder, "does not belong here")


def test_a_record_that_is_listed_as_an_artifact_is_refused(folder):
    put(folder, b'{"schema_version": 1, "cell": {}, "status": "ok", "metrics": {"cpr": 9.9}}', "artifacts/record.json")
    refused(folder, "no object 'cfg'")


# Links and other things that are no files.


def test_a_link_to_a_file_outside_is_refused(folder, tmp_path):
    save_scores(scores(), tmp_path / "outside.safetensors")
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(tmp_path / "outside.safetensors")
    report = refused(folder, "is a link")
    assert report.n_read == 0


def test_a_link_to_a_secret_is_not_opened(folder):
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")
    assert "root" not in str(refused(folder, "is a link"))


def test_a_linked_manifest_is_not_read(folder, tmp_path):
    (folder / "submission.yaml").rename(tmp_path / "elsewhere.yaml")
    (folder / "submission.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    refused(folder, "is a link")


def test_a_linked_folder_is_not_entered(folder):
    (folder / "more").symlink_to("/")
    assert len(refused(folder, "more is a link").failures) == 1


def test_a_link_in_a_circle_is_refused(folder):
    (folder / "artifacts" / "again").symlink_to(folder)
    refused(folder, "is a link")


def test_a_pipe_does_not_hold_the_check_up(folder):
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)
    refused(folder, "is a pipe")


# Paths and names.


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("../outside.safetensors", "leads out"),
        ("artifacts/../../x.safetensors", "leads out"),
        ("/etc/x.safetensors", "absolute"),
        ("C:\\x.safetensors", "backslash"),
        ("C:/x.safetensors", "absolute"),
        ("artifacts\\a.safetensors", "backslash"),
        ("artifacts//a.safetensors", "empty"),
        ("./a.safetensors", "begins or ends"),
        (".hidden.safetensors", "begins or ends"),
        ("artifacts/a\u0430.safetensors", "U+0430"),
        ("artifacts/a\u202egnp.safetensors", "U+202E"),
        ("artifacts/a\u200b.safetensors", "U+200B"),
        ("artifacts/nul.safetensors", "device"),
        ("a/b/c/d/e/f/g.safetensors", "folders deep"),
        ("x" * 300 + ".safetensors", "limit is 200"),
        ("artifacts/a b.safetensors", "U+0020"),
        ("~/x.safetensors", "U+007E"),
        ("$HOME/x.safetensors", "U+0024"),
    ],
)
def test_paths_that_leave_or_deceive_are_refused(folder, path, word):
    change(folder, first={"file": path})
    refused(folder, word)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("te\u0430m", "U+0430"),
        ("\uff54eam", "U+FF54"),
        ("te\u0301am", "U+0301"),
        ("team\u200d", "U+200D"),
        ("..", "begins or ends"),
        ("a..b", "two dots"),
        ("team/other", "U+002F"),
        ("CON", "device"),
        ("com1.x", "device"),
        ("-rf", "begins or ends"),
        ("x" * 65, "65 characters"),
        ("a__b", "U+005F"),
        ("", "empty"),
        ("{{7*7}}", "U+007B"),
        ("a\nb", "U+000A"),
    ],
)
def test_names_that_deceive_are_refused(folder, name, word):
    change(folder, team=name)
    refused(folder, word)


def test_a_folder_of_another_name_is_refused(tmp_path):
    refused(good(tmp_path, "baseline__eap@1"), "another name")


@pytest.mark.parametrize("name", ["team__method", "team-method-1", "TEAM__method@1@2", "te\u0430m__method@1", "a@1"])
def test_folders_that_are_named_otherwise_are_refused(tmp_path, name):
    refused(good(tmp_path, name), "TEAM__METHOD@VERSION", "U+0430")


def test_a_name_that_another_submission_nearly_has_is_refused(tmp_path):
    folder = good(tmp_path)
    (tmp_path / "Team__method@1").mkdir()
    refused(folder, "upper and lower case")


def test_two_files_of_one_name_on_some_systems_are_refused(folder):
    save_scores(scores(seed=1), folder / "artifacts" / "A.safetensors")
    own = [entry(folder / FILE), entry(folder / "artifacts/A.safetensors", "artifacts/A.safetensors", seed=1)]
    write_manifest(folder, manifest(own))
    refused(folder, "upper and lower case")


def test_a_name_that_is_no_text_is_refused(folder):
    try:
        (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe"))).write_text("", encoding="utf-8")
    except OSError:
        pytest.skip("this file system has no such names")
    refused(folder, "U+FFFD")


# The manifest.


DEEP = 10**5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * DEEP, ("levels deep",)),
        ("{a: " * (DEEP // 2), ("levels deep",)),
        ("- " * DEEP, ("levels deep",)),
        ("? " * DEEP, ("no text", "levels deep")),
        ("a: &x [1]\nb: *x\n", ("anchor",)),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", ("anchor",)),
        ("a: !!python/object/apply:os.system ['touch ran']\n", ("tag",)),
        ("a: !!python/name:os.system\n", ("tag",)),
        ("a: !!binary aGVsbG8=\n", ("tag",)),
        ("a: !local x\n", ("tag",)),
        ("%TAG ! tag:yaml.org,2002:python/\n---\n!name:os.system x\n", ("tag",)),
        ("<<: {team: x}\n", ("merges",)),
        ("team: a\nteam: b\n", ("twice",)),
        ('{"team": 1, "team": 2}', ("twice",)),
        ("--- {}\n--- {}\n", ("second document",)),
        ("? [a]\n: b\n", ("no text",)),
        ("a: " + "1" * 10**5, ("characters",)),
        ("a: " + "1:" * 1900 + "1", ("characters", "no key")),
        ("a: " + "9" * 3999, ("digits", "no key")),
        ("\n".join(f"k{i}: 1" for i in range(10**4)), ("keys",)),
        ("- 1\n" * 40_000, ("values and keys",)),
        ("a: [\n", ("not YAML",)),
        ("a: '\x00'\n", ("not YAML",)),
        ("a: \ud7ff\t\t: b: c\n", ("not YAML",)),
        ("just words\n", ("not a mapping",)),
        ("", ("not a mapping",)),
        ("a: 0x" + "f" * 3000, ("no key", "characters")),
        ("a: =\n", ("not YAML",)),
    ],
)
def test_yaml_bombs_and_tricks_are_refused(folder, text, words):
    write_manifest(folder, text)
    refused(folder, *words)
    assert not Path("ran").exists()


def test_a_manifest_that_is_no_text_is_refused(folder):
    (folder / "submission.yaml").write_bytes(b"\xff\xfe\x00")
    refused(folder, "cannot be read")


def test_a_manifest_that_is_large_is_refused(folder):
    (folder / "submission.yaml").write_text("a: 1 # " + "x" * MIB, encoding="utf-8")
    refused(folder, "cannot be read")


def test_a_submission_without_a_manifest_is_refused(folder):
    (folder / "submission.yaml").unlink()
    refused(folder, "There is no submission.yaml")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"version": 1.0}, "version"),
        ({"authors": []}, "authors"),
        ({"authors": "x"}, "authors"),
        ({"authors": ["\u202eevil"]}, "U+202E"),
        ({"description": "a\nb"}, "U+000A"),
        ({"description": "x" * 201}, "description"),
        ({"description": "\x1b[31mred"}, "U+001B"),
        ({"paper": "javascript:alert(1)"}, "paper"),
        ({"code": "file:///etc/passwd"}, "code"),
        ({"licence": None}, "'licence' is missing"),
        ({"training_data": None}, "'training_data' is missing"),
        ({"training_data": {"splits": ["private"]}}, "training_data.splits"),
        ({"extra": 1}, "no key of a manifest"),
        ({"parameters": {"x": float("nan")}}, "parameters"),
        ({"parameters": {"x": float("inf")}}, "parameters"),
        ({"parameters": [1]}, "parameters"),
        ({"supersedes": "1"}, "the version itself"),
        ({"supersedes": "../../x"}, "U+002F"),
        ({"tracks": ["sae"]}, "do not agree"),
        ({"tracks": ["circuit", "circuit"]}, "do not agree"),
        ({"boards": ["mine"]}, "boards"),
        ({"boards": ["mib"]}, "covers too little"),
        ({"artifacts": []}, "artifacts"),
        ({"artifacts": None}, "'artifacts' is empty"),
        ({"artifacts": {"a": 1}}, "artifacts"),
        ({"artifacts": [1]}, "artifacts[0]"),
    ],
)
def test_manifests_that_say_what_they_cannot_are_refused(folder, changes, word):
    if changes.get("artifacts", 0) == 0:
        change(folder, **changes)
    else:
        write_manifest(folder, manifest(changes["artifacts"]))
    refused(folder, word)


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ({"sha256": "0" * 64}, "Its sha256"),
        ({"sha256": "x"}, "sha256"),
        ({"sha256": None}, "'artifacts[0].sha256' is missing"),
        ({"bytes": 1}, "Its bytes"),
        ({"bytes": -1}, "bytes"),
        ({"bytes": 10**30}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"tasks": ["no-such-task"]}, "There is no task"),
        ({"tasks": []}, "tasks"),
        ({"tasks": [TASK, TASK]}, "twice"),
        ({"models": []}, "'models' is empty"),
        ({"models": ["no-such-model"]}, "is not known"),
        ({"models": ["../../etc"]}, "is not known"),
        ({"models": ["gpt2"]}, "12 layers"),
        ({"level": "node"}, "edge scores"),
        ({"level": "all"}, "level"),
        ({"level": None}, "needs 'level'"),
        ({"variable": "answer"}, "is for the track variable"),
        ({"hook": "residual-post.L1"}, "is for the track sae"),
        ({"budget": 2}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"file": None}, "either file or hub"),
        ({"file": "artifacts/other.safetensors"}, "There is no file"),
        ({"hub": {"repo": "a/b", "revision": "main", "path": "x.safetensors"}, "file": None}, "revision"),
        ({"hub": {"repo": "../b", "revision": "0" * 40, "path": "x.safetensors"}, "file": None}, "repo"),
        ({"hub": {"repo": "a/b", "revision": "0" * 40, "path": "../x.safetensors"}, "file": None}, "leads out"),
        (
            {"track": "sae", "level": None, "hook": "residual-post.L1", "tasks": ["sae-core"]},
            "header is not understood|metadata",
        ),
    ],
)
def test_entries_that_say_what_is_not_so_are_refused(folder, first, word):
    change(folder, first=first)
    refused(folder, *word.split("|"))


def test_one_file_for_two_cells_is_refused(folder):
    write_manifest(folder, manifest([entry(folder / FILE), entry(folder / FILE, seed=1)]))
    refused(folder, "are the same file")


def test_one_cell_twice_is_refused(folder):
    save_scores(scores(seed=1), folder / "artifacts/b.safetensors")
    own = [entry(folder / FILE), entry(folder / "artifacts/b.safetensors", "artifacts/b.safetensors")]
    write_manifest(folder, manifest(own))
    refused(folder, "are for the same cell")


def test_one_artifact_under_two_names_is_refused(folder):
    (folder / "artifacts/b.safetensors").write_bytes((folder / FILE).read_bytes())
    own = [entry(folder / FILE), entry(folder / "artifacts/b.safetensors", "artifacts/b.safetensors", seed=1)]
    write_manifest(folder, manifest(own))
    refused(folder, "are the same file")


# Artifacts.


def test_scores_of_another_model_are_refused(folder):
    save_scores(scores(Graph(3, 4, False)), folder / FILE, overwrite=True)
    write_manifest(folder, manifest([entry(folder / FILE)]))
    refused(folder, "They are for a model of 3 layers")


def test_scores_of_a_model_of_another_width_are_refused(folder):
    save_scores(scores(d_model=64), folder / FILE, overwrite=True)
    write_manifest(folder, manifest([entry(folder / FILE)]))
    refused(folder, "d_model 64")


def raw(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def changed_tensors(folder, **changes):
    """The good file with other tensors."""
    from safetensors import safe_open
    from safetensors.numpy import save

    with safe_open(folder / FILE, "numpy") as stream:
        metadata = stream.metadata()
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    return save(tensors | changes, metadata)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(folder, value):
    bad = scores().scores.copy()
    bad[0, 0] = value
    put(folder, changed_tensors(folder, scores=bad))
    refused(folder, "NaN or infinite")


def test_scores_that_are_all_equal_are_refused(folder):
    put(folder, changed_tensors(folder, scores=np.ones(GRAPH.shape, np.float32)))
    refused(folder, "are equal")


def test_scores_of_another_shape_are_refused(folder):
    put(folder, changed_tensors(folder, scores=np.ones((3, 3), np.float32)))
    refused(folder, "'scores' is F32 [3, 3]")


def test_more_tensors_than_belong_there_are_refused(folder):
    put(folder, changed_tensors(folder, hidden=np.ones(3, np.float32)))
    refused(folder, "hidden")


def test_bytes_behind_the_tensors_are_refused(folder, tmp_path):
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Payload(tmp_path / "ran")))
    put(folder, (folder / FILE).read_bytes() + hidden.getvalue())
    refused(folder, "not a whole safetensors file")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 100, -1])
def test_a_file_that_is_cut_short_is_refused(folder, cut):
    content = (folder / FILE).read_bytes()[:cut]
    (folder / FILE).write_bytes(content)
    refused(folder, "not the file that was listed")
    if content:
        put(folder, content)
        refused(folder, "cut short", "not a whole safetensors file")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{" + bytes(100),
        struct.pack("<Q", 2**40) + b"{" + bytes(100),
        struct.pack("<Q", 5 * MIB) + b"{" + b" " * (5 * MIB),
        raw(b"[" * DEEP),
        raw(b'{"a":' * DEEP),
        raw(b'{"scores": {"dtype": "F32", "shape": [1073741824, 1073741824], "data_offsets": [0, 4]}}', bytes(4)),
        raw(b'{"scores": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}', bytes(4)),
        raw(b'{"scores": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}', bytes(4)),
        raw({"__metadata__": {"mibench": "[" * DEEP}}),
        raw({"__metadata__": {"mibench": '{"a":' * DEEP}}),
        raw({"__metadata__": {"mibench": '{"schema_version": ' + "9" * 5000 + "}"}}),
        raw({"__metadata__": {"mibench": '{"schema_version": 1e999}'}}),
        raw({"__metadata__": {"mibench": "null"}}),
        raw({}),
    ],
    ids=range(14),
)
def test_headers_that_lie_or_explode_are_refused(folder, content):
    put(folder, content)
    assert len(refused(folder, "safetensors", "header", "metadata", "schema version", "tensors").failures[0].why) < 1000


CFG = '{"cfg": {"n_layers": 2, "n_heads": 4, "parallel_attn_mlp": false, "d_model": 256}, "nodes": {}, '


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[" * DEEP, "not what its name says"),
        ('{"a": ' + "[" * DEEP + "]" * DEEP + "}", "nests too deeply"),
        ('{"a":' * DEEP, "keys"),
        ('{"cfg": {}, "cfg": {}, "nodes": {}, "edges": {}}', "occurs twice"),
        ('{"cfg": {"n_layers": ' + "9" * 5000 + '}, "nodes": {}, "edges": {}}', "JSON"),
        ('{"cfg": {"n_layers": 1e9, "n_heads": 4, "parallel_attn_mlp": false}, "nodes": {}, "edges": {}}', "n_layers"),
        (
            '{"cfg": {"n_layers": 90000, "n_heads": 90000, "parallel_attn_mlp": false}, "nodes": {}, "edges": {}}',
            "90000 layers",
        ),
        ('{"cfg": {"n_layers": -1, "n_heads": 4, "parallel_attn_mlp": false}, "nodes": {}, "edges": {}}', "n_layers"),
        (
            CFG + '"edges": {"input->m0": {"score": NaN, "in_graph": false}}}',
            "NaN",
        ),
        (
            CFG + '"edges": {"__class__": {"score": 1.0}}}',
            "not in a graph",
        ),
    ],
    ids=range(10),
)
def test_json_bombs_are_refused(folder, text, word):
    put(folder, text.encode(), "artifacts/a.json")
    refused(folder, word)


def test_a_large_json_of_many_keys_is_refused_before_it_is_parsed(folder):
    text = '{"cfg":{},"nodes":{},"edges":{' + '"a":{},' * 5_000_000 + '"b":{}}}'
    put(folder, text.encode(), "artifacts/a.json")
    refused(folder, "keys")


@pytest.mark.parametrize("track", ["circuit", "variable", "sae"])
def test_a_header_of_many_tensors_is_refused(folder, track):
    names = (f'"t{i}": {{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}' for i in range(60_000))
    own = {"circuit": {}, "variable": {"variable": "answer"}, "sae": {"hook": "residual-post.L1"}}[track]
    level = "edge" if track == "circuit" else None
    put(folder, raw(("{" + ", ".join(names) + "}").encode()), track=track, level=level, **own)
    refused(folder, "header", "metadata", "safetensors")


@pytest.mark.parametrize("track", ["circuit", "variable", "sae"])
def test_metadata_of_many_values_are_refused(folder, track):
    own = {"circuit": {}, "variable": {"variable": "answer"}, "sae": {"hook": "residual-post.L1"}}[track]
    level = "edge" if track == "circuit" else None
    text = '{"schema_version": 1, "params": {"x": [' + "0," * 1_500_000 + "0]}}"
    put(folder, raw({"__metadata__": {"mibench": text}}), track=track, level=level, **own)
    refused(folder, "header", "manifest")


def one_circuit(folder, budget, members):
    save_scores(scores(in_graph=members, binary=True), folder / FILE, overwrite=True)
    write_manifest(folder, manifest([entry(folder / FILE, budget=budget)]))


def test_a_circuit_that_is_larger_than_its_budget_is_refused(folder):
    one_circuit(folder, 0.5, GRAPH.real_mask)
    refused(folder, "its budget of 50 %")


def test_a_circuit_without_a_budget_is_refused(folder):
    one_circuit(folder, None, GRAPH.real_mask)
    refused(folder, "does not say of what size")


def test_an_empty_circuit_is_refused(folder):
    one_circuit(folder, 0.5, np.zeros(GRAPH.shape, np.bool_))
    refused(folder, "empty once it is pruned")


# Sizes.


def sparse_file(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)


def test_a_file_that_is_too_large_is_not_read(folder):
    sparse_file(folder / FILE, 50 * MIB + 1)
    assert refused(folder, "is too large").n_read == 0


def test_a_submission_that_is_too_large_is_refused(folder):
    for number in range(5):
        sparse_file(folder / f"artifacts/x{number}.safetensors", 45 * MIB)
    refused(folder, "All files together")


def test_many_files_are_refused_and_said_in_few_words(folder):
    for number in range(2500):
        (folder / f"x{number}").touch()
    report = refused(folder, "too many files")
    assert len(report.failures) <= MAX_SHOWN + 1


def test_a_deep_tree_is_refused(folder):
    (folder / "/".join("d" * 40)).mkdir(parents=True)
    refused(folder, "folders deep")


# Archives.


def zip_of(path, members, compression=zipfile.ZIP_STORED, change=None):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.external_attr = 0o100644 << 16
            if change:
                change(info)
            archive.writestr(info, content)
    return path


def members_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder.parent).as_posix(), path.read_bytes()) for path in files]


def test_the_archives_before_the_damage_are_fine(folder, tmp_path):
    assert check_submission(zip_of(tmp_path / "s.zip", members_of(folder))).passed
    assert check_submission(zip_of(tmp_path / "t.zip", members_of(folder), zipfile.ZIP_DEFLATED)).passed
    for mode, suffix in (("w", ".tar"), ("w:gz", ".tar.gz"), ("w:gz", ".tgz")):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            path = tmp_path / f"s{form}{suffix}"
            with tarfile.open(path, mode, format=form) as archive:
                archive.add(folder, folder.name)
            assert check_submission(path).passed, path.name


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../slip.txt", "leads out"),
        (f"{NAME}/../../slip.txt", "leads out"),
        ("/tmp/slip.txt", "absolute"),
        ("C:/slip.txt", "absolute"),
        (f"{NAME}\\slip.txt", "backslash"),
        (f"{NAME}/sl\u0456p.txt", "U+0456"),
        (f"{NAME}/.git/hooks", "begins or ends"),
        ("other__method@1/x.txt", "does not hold one folder"),
        ("loose.txt", "does not hold one folder"),
        (f"{NAME}/submission.yaml", "twice"),
        (f"{NAME}/SUBMISSION.yaml", "upper and lower case"),
        (f"{NAME}/submission.yaml/x", "inside a file"),
        (f"{NAME}/{'x' * 400}", "characters"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_slip_out_are_not_unpacked(folder, tmp_path, kind, name, word):
    members = [*members_of(folder), (name, b"x")]
    if kind == "zip":
        with pytest.warns(UserWarning, match="Duplicate") if word == "twice" else nullcontext():
            path = zip_of(tmp_path / "s.zip", members)
    else:
        path = tmp_path / "s.tar"
        with tarfile.open(path, "w") as archive:
            for one, content in members:
                info = tarfile.TarInfo(one)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    before = set(tmp_path.rglob("*"))
    refused(path, *word.split("|"))
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/slip.txt").exists()


def test_a_zip_that_grows_is_not_unpacked(folder, tmp_path):
    members = [*members_of(folder), (f"{NAME}/artifacts/b.safetensors", bytes(40 * MIB))]
    path = zip_of(tmp_path / "s.zip", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < MIB
    refused(path, "grows from")


def test_a_zip_of_too_large_files_is_not_unpacked(folder, tmp_path):
    members = [*members_of(folder), (f"{NAME}/artifacts/b.safetensors", bytes(51 * MIB))]
    refused(zip_of(tmp_path / "s.zip", members, zipfile.ZIP_DEFLATED), "is too large")


def test_a_zip_that_claims_less_than_it_holds_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "s.zip", members_of(folder), zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 10)
    path.write_bytes(content)
    refused(path, "damaged", "other bytes")


def test_a_zip_with_a_wrong_checksum_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "s.zip", members_of(folder))
    content = bytearray(path.read_bytes())
    content[content.find(b"# A method")] ^= 1
    path.write_bytes(content)
    refused(path, "damaged")


def test_a_zip_of_many_members_is_refused_before_they_are_listed(tmp_path):
    path = zip_of(tmp_path / "s.zip", [(f"{NAME}/x{number}", b"") for number in range(5000)])
    refused(path, "limit is 2000 members")


@pytest.mark.parametrize("kind", [0o120777, 0o010644, 0o020644, 0o060644, 0o140644])
def test_links_and_devices_in_a_zip_are_refused(folder, tmp_path, kind):
    path = zip_of(tmp_path / "s.zip", members_of(folder), change=lambda one: setattr(one, "external_attr", kind << 16))
    refused(path, "is a link", "is a pipe", "is a device", "is a socket")


def test_programs_in_a_zip_are_refused(folder, tmp_path):
    path = zip_of(
        tmp_path / "s.zip", members_of(folder), change=lambda one: setattr(one, "external_attr", 0o100755 << 16)
    )
    refused(path, "executable")


def test_an_encrypted_zip_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "s.zip", members_of(folder))
    content = bytearray(path.read_bytes())
    place = content.find(b"PK\x01\x02")
    content[place + 8] |= 1
    path.write_bytes(content)
    refused(path, "encrypted")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_packed_otherwise_is_refused(folder, tmp_path, compression):
    refused(zip_of(tmp_path / "s.zip", members_of(folder), compression), "packed by the method")


@pytest.mark.parametrize("where", ["before", "behind", "comment"])
def test_a_zip_with_something_around_it_is_refused(folder, tmp_path, where):
    path = zip_of(tmp_path / "s.zip", members_of(folder))
    content = path.read_bytes()
    if where == "before":
        path.write_bytes(b"#!/bin/sh\ntouch ran\n" + content)
    elif where == "behind":
        path.write_bytes(content + b"x" * 100)
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = content[-22:]
    refused(path, "does not begin", "does not end", "not where its end says")


@pytest.mark.parametrize("cut", [0, 3, 21, 100, -1, -30])
def test_a_zip_that_is_cut_short_is_refused(folder, tmp_path, cut):
    path = zip_of(tmp_path / "s.zip", members_of(folder))
    path.write_bytes(path.read_bytes()[:cut])
    refused(path, "does not begin", "does not end", "damaged")


def tar_of(path, folder, *odd, mode="w"):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, folder.name)
        for info, content in odd:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a pipe"),
        (tarfile.GNUTYPE_SPARSE, "type|damaged"),
        (b"Q", "type"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(folder, tmp_path, kind, word):
    info = tarfile.TarInfo(f"{NAME}/artifacts/odd")
    info.type, info.linkname = kind, "/etc/passwd"
    refused(tar_of(tmp_path / "s.tar", folder, (info, b"")), *word.split("|"))


def test_a_tar_that_grows_is_not_unpacked(folder, tmp_path):
    path = tmp_path / "s.tar.gz"
    info = tarfile.TarInfo(f"{NAME}/artifacts/b.safetensors")
    info.size = 250 * MIB
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(info.tobuf())
        for _ in range(250):
            stream.write(bytes(MIB))
    assert path.stat().st_size < 4 * MIB
    refused(path, "grows from")


@pytest.mark.parametrize("size", [-1, -512, 2**62, 8**11 - 1])
def test_a_tar_whose_header_claims_any_size_is_refused(tmp_path, size):
    info = tarfile.TarInfo(f"{NAME}/submission.yaml")
    info.size = size
    path = tmp_path / "s.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    refused(path, f"claims to have {size} bytes", "outside the file", "damaged")


def test_a_tar_whose_long_name_claims_to_be_huge_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 * MIB
    path = tmp_path / "s.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + b"9" * (8 * MIB))
    refused(path, "claims to take")


def test_sizes_below_nothing_do_not_make_room_for_others(folder, tmp_path):
    path = tmp_path / "s.tar"
    below = tarfile.TarInfo(f"{NAME}/below")
    below.size = -(10**9)
    path.write_bytes(below.tobuf(tarfile.GNU_FORMAT) + tar_of(tmp_path / "t.tar", folder).read_bytes())
    refused(path, "claims to have", "outside the file")


def test_a_tar_of_nothing_but_long_names_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 512
    path = tmp_path / "s.tar"
    path.write_bytes((info.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * 20_000)
    refused(path, "headers cannot be followed", "more headers")


def test_a_tar_of_many_members_is_refused(tmp_path):
    path = tmp_path / "s.tar"
    one = tarfile.TarInfo(f"{NAME}/x").tobuf()
    path.write_bytes(one * 5000)
    refused(path, "more than 2000 members", "more headers")


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"\x1f\x8b" + b"x" * 100, bytes(5000)])
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_files_that_are_no_archive_are_refused(tmp_path, suffix, content):
    (tmp_path / f"s{suffix}").write_bytes(content)
    refused(tmp_path / f"s{suffix}", "does not begin as a zip", "damaged", "there is nothing")


# Random damage.


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_random_damage_of_an_archive_is_refused_or_harmless(folder, tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    if suffix == ".zip":
        zip_of(path, members_of(folder), zipfile.ZIP_DEFLATED)
    else:
        tar_of(path, folder, mode="w:gz" if suffix == ".tar.gz" else "w")
    content = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 2):
            damaged[int(place)] = int(rng.integers(0, 256))
        path.write_bytes(damaged)
        report = check_submission(path)
        assert all(one.what and one.why and one.do for one in report.failures)


def damaged(content, rng):
    """Some bytes changed, cut out or doubled; half of the damage is where headers are."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(0, len(data) if rng.random() < 0.5 else min(len(data), 700)))
        kind = rng.integers(0, 3)
        if kind == 0:
            data[place : place + 1] = bytes([int(rng.integers(0, 256))])
        elif kind == 1:
            del data[place : place + int(rng.integers(1, 40))]
        else:
            data[place:place] = data[place : place + int(rng.integers(1, 40))]
    return bytes(data)


def artifacts_of(folder):
    """An artifact of each kind, with what its entry says besides."""
    eye = Operation("orthogonal", {"rotation": np.eye(8, 2, dtype=np.float32)})
    save_featurizers(
        {"residual-post.L1@last": eye}, folder / "f.safetensors", model=MODEL, task=TASK, variable="answer"
    )
    save_dictionary(example("relu", 12, 24), folder / "d.safetensors")
    save_scores(scores(), folder / "s.json")
    own = {"level": None}
    return {
        "circuit": (folder / "artifacts/a.safetensors", {}),
        "circuit in JSON": (folder / "s.json", {}),
        "variable": (folder / "f.safetensors", own | {"track": "variable", "variable": "answer"}),
        "sae": (folder / "d.safetensors", own | {"track": "sae", "hook": "residual-post.L1", "tasks": ["sae-core"]}),
    }


@pytest.mark.parametrize("kind", ["circuit", "circuit in JSON", "variable", "sae"])
def test_random_damage_of_an_artifact_is_refused_or_harmless(folder, kind):
    path, changes = artifacts_of(folder)[kind]
    content, rng, refusals = path.read_bytes(), np.random.default_rng(11), 0
    sizes = {MODEL: ModelSizes(GRAPH, 256, 64)}
    for _ in range(MUTATIONS):
        path.write_bytes(damaged(content, rng))
        found = artifact_faults(path, ArtifactEntry(**entry(path, path.name, **changes)), sizes)
        refusals += bool(found)
        assert all(one.what and one.why and one.do for one in found)
    assert refusals > MUTATIONS // 4
