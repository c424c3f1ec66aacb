"""Every reader of files that others wrote: valid files to begin from, how they are damaged, and the call."""

from __future__ import annotations

import hashlib
import io
import json
import pickle  # noqa: TID251  configurations are pickled here, never unpickled
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mib_triplets
import numpy as np
import pandas as pd
import torch
import yaml
from featurizer_examples import example as operation
from foreign_dictionaries import EXAMPLES
from fuzz import mutations as damage
from lens_models import lens_fields, lens_weights, pickled_config, plain
from submission_cases import GRAPH, MODEL, NAME, TASK, entry, good, scores

from mibench.artifacts.dictionary_files import load_dictionary, save_dictionary_as
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.files import load_scores, save_scores
from mibench.artifacts.formats.mib_featurizers import import_triplets
from mibench.artifacts.formats.position_map import read_position_map
from mibench.artifacts.series_folder import load_series
from mibench.core.errors import MibenchError
from mibench.core.hashing import file_digest
from mibench.core.shipped import shipped_digests, shipped_places
from mibench.core.specs import Level
from mibench.core.truth import read_subspaces, read_truth
from mibench.core.yaml_text import load_yaml
from mibench.intake.check import check_submission
from mibench.intake.draft import read_draft
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.model_sizes import ModelSizes
from mibench.intake.reading import artifact_faults
from mibench.intake.round import read_round
from mibench.intake.strict_yaml import load_strict
from mibench.models.catalogue import CATALOGUE
from mibench.models.convert import MANIFEST_FILE, read_manifest
from mibench.models.digest import read_config
from mibench.models.interpbench.config import lens_config
from mibench.models.interpbench.folder import read_lens_manifest
from mibench.models.interpbench.graph_truth import graph_size, truth_edges
from mibench.models.interpbench.pickle_fields import pickled_fields
from mibench.models.interpbench.state import read_weights
from mibench.records.confirmation import read_confirmations
from mibench.records.encode import parse_record
from mibench.records.record import TableRef
from mibench.records.saebench.read import read_results
from mibench.records.tables import read_table, table_bytes
from mibench.runner.again.published import read_published
from mibench.runner.handed_in.score import read_meta
from mibench.runner.settings import read_run_file, run_settings
from mibench.tasks.arithmetic.rows import parse_row as parse_arithmetic
from mibench.tasks.choice_rows import parse_row as parse_choice
from mibench.tasks.corpora.local import local_corpus
from mibench.tasks.greater_than.rows import parse_row as parse_year
from mibench.tasks.ioi.rows import parse_row as parse_ioi
from mibench.tasks.pairs import read_pairs
from mibench.tasks.shipped import data_folder, read_rows

SIZES = {MODEL: ModelSizes(GRAPH, 256, 64)}
RECORDS = Path(__file__).parents[2] / "leaderboard" / "records"


@dataclass(frozen=True)
class Parser:
    """A reader under test.

    Attributes:
        seeds: Valid files, made in an empty folder.
        damaged: Strategy of damaged files, from valid ones.
        read: Reads a file; the folder is empty but for what ``seeds`` left there.
        file: Name of the file.
    """

    seeds: Callable[[Path], list[bytes]]
    damaged: Callable[[list[bytes]], object]
    read: Callable[[Path], object]
    file: str


PARSERS: dict[str, Parser] = {}
"""By name."""


def parser(name, file, damaged, seeds):
    """Register the function below as a reader."""

    def register(read):
        PARSERS[name] = Parser(seeds, damaged, read, file)
        return read

    return register


def yaml_of(*seeds):
    """Valid YAML, also as JSON: values are damaged in the one and characters in the other."""
    return [one.encode() for one in seeds] + [json.dumps(yaml.safe_load(one), default=str).encode() for one in seeds]


# Submissions.


def submission(folder):
    """Path of a good submission in a folder."""
    return folder / NAME if (folder / NAME).exists() else good(folder)


def manifests(folder):
    return yaml_of((submission(folder) / "submission.yaml").read_text())


@parser("submission.yaml", "submission.yaml", damage.yaml_of, manifests)
def _draft(path):
    return read_draft(path.read_bytes().decode("utf-8", "replace"))


@parser("strict yaml", "a.yaml", damage.yaml_of, manifests)
def _strict(path):
    return load_strict(path.read_bytes().decode("utf-8", "replace"), "It")


@parser("submission folder", "submission.yaml", damage.yaml_of, manifests)
def _folder(path):
    (path.parent / NAME / "submission.yaml").write_bytes(path.read_bytes())
    return check_submission(path.parent / NAME)


def members(folder):
    own = submission(folder)
    return [(one.relative_to(folder).as_posix(), one.read_bytes()) for one in sorted(own.rglob("*")) if one.is_file()]


def zips(folder):
    found = []
    for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", packed) as archive:
            for name, content in members(folder):
                archive.writestr(name, content)
        found.append(stream.getvalue())
    return found


def tars(folder, mode):
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode, format=form) as archive:
            archive.add(submission(folder), NAME)
        found.append(stream.getvalue())
    return found


parser("zip", "s.zip", damage.zip_of, zips)(check_submission)
parser("tar", "s.tar", damage.bytes_of, lambda folder: tars(folder, "w:"))(check_submission)
parser("tar.gz", "s.tar.gz", damage.gzip_of, lambda folder: tars(folder, "w:gz"))(check_submission)


def round_text(_):
    sha = "0" * 64
    fields = {
        "name": "r1", "title": "Round", "organiser": "O", "contact": "o@example.org",
        "opens": "2026-01-01T00:00:00+00:00", "deadline": "2026-02-01T00:00:00+00:00",
        "cells": [{"track": "circuit", "tasks": [TASK], "models": [MODEL]}],
        "boards": [{"name": "b", "track": "circuit", "headline": "cpr"}], "schema_version": 1, "mibench": "0.1.0",
        "opened": "2026-01-01T00:00:00+00:00", "tasks": {TASK: 1}, "metrics": {"cpr": 1}, "models": {MODEL: sha},
        "commitments": {"standings": sha, "final": sha},
    }  # fmt: skip
    return [json.dumps(fields).encode()]


parser("round.json", "round.json", damage.json_of, round_text)(read_round)


# Artifacts.


def files_of(write, *variants):
    """Seeds that a writer writes."""

    def seeds(folder):
        found = []
        for number, variant in enumerate(variants):
            path = folder / f"seed{number}{write.suffix}"
            write(variant, path)
            found.append(path.read_bytes())
            path.unlink()
        return found

    return seeds


def writer(suffix):
    """Say the suffix of what a function writes."""

    def mark(write):
        write.suffix = suffix
        return write

    return mark


RANKED = (scores(), scores(level=Level.NODE), scores(in_graph=GRAPH.real_mask, binary=True))


@writer(".safetensors")
def _native(one, path):
    save_scores(one, path)


@writer(".json")
def _json(one, path):
    save_scores(one, path)


@writer(".pt")
def _pt(one, path):
    save_scores(one, path)


def both_ways(path):
    """Read scores as a ranking and as one circuit."""
    with suppress(MibenchError):
        load_scores(path)
    return load_scores(path, binary=True)


parser("circuit safetensors", "a.safetensors", damage.safetensors_of, files_of(_native, *RANKED))(both_ways)
parser("circuit json", "a.json", damage.json_of, files_of(_json, *RANKED))(both_ways)
parser("circuit pt", "a.pt", damage.zip_of, files_of(_pt, *RANKED))(both_ways)


def nine(folder):
    (folder / "nine").mkdir(exist_ok=True)
    for number in range(9):
        members = GRAPH.real_mask & (np.arange(GRAPH.real_mask.size).reshape(GRAPH.shape) < 20 * number)
        save_scores(scores(in_graph=members, binary=True), folder / "nine" / f"{number}.json")
    return [(folder / "nine" / "4.json").read_bytes()]


@parser("circuits of nine sizes", "a.json", damage.json_of, nine)
def _series(path):
    (path.parent / "nine" / "4.json").write_bytes(path.read_bytes())
    return load_series(path.parent / "nine")


@writer(".safetensors")
def _sites(kinds, path):
    rng = np.random.default_rng(0)
    sites = {f"residual-post.L{place}@last": operation(kind, rng, 8) for place, kind in enumerate(kinds)}
    save_featurizers(sites, path, model=MODEL, task="ioi", variable="answer")


KINDS = (("orthogonal", "sae"), ("identity", "affine", "linear"), ("householder", "coupling"), ("low_rank_edit",))
parser("featurizers", "f.safetensors", damage.safetensors_of, files_of(_sites, *KINDS))(load_featurizers)


def featurizer_folder(folder):
    rng = np.random.default_rng(0)
    sites = {
        "residual-post.L1@last": operation("orthogonal", rng, 8),
        "residual-post.L2@last": operation("sae", rng, 8),
    }
    save_featurizers(sites, folder / "featurizers", model=MODEL, task="ioi", variable="answer")
    return [(folder / "featurizers" / "manifest.json").read_bytes()]


@parser("featurizer folder", "m.json", damage.json_of, featurizer_folder)
def _featurizer_folder(path):
    (path.parent / "featurizers" / "manifest.json").write_bytes(path.read_bytes())
    return load_featurizers(path.parent / "featurizers")


def triplet_parts(folder):
    top = folder / "4_answer_MCQA_Gemma2ForCausalLM_answer_pointer"
    unit = "ResidualStream(Layer-3,Token-last_token)"
    mib_triplets.save(top, unit, mib_triplets.subspace(8, 2), indices=[0, 1])
    return [(top / f"{unit}_featurizer").read_bytes()]


@parser("mib featurizer module", "module", damage.zip_of, triplet_parts)
def _triplet(path):
    top = path.parent / "4_answer_MCQA_Gemma2ForCausalLM_answer_pointer"
    unit = "ResidualStream(Layer-3,Token-last_token)"
    for part in ("featurizer", "inverse_featurizer"):
        (top / f"{unit}_{part}").write_bytes(path.read_bytes())
    return import_triplets(top, model="gemma-2-2b")


def indices(folder):
    triplet_parts(folder)
    return [b"[0, 1]", b"null", b"[]"]


@parser("mib featurizer indices", "indices", damage.bytes_of, indices)
def _indices(path):
    top = path.parent / "4_answer_MCQA_Gemma2ForCausalLM_answer_pointer"
    (top / "ResidualStream(Layer-3,Token-last_token)_indices").write_bytes(path.read_bytes())
    return import_triplets(top, model="gemma-2-2b")


@writer(".safetensors")
def _dictionary(name, path):
    save_dictionary_as(EXAMPLES[name], path, "native")


@writer(".safetensors")
def _four_arrays(name, path):
    save_dictionary_as(EXAMPLES[name], path, "generic")


@writer(".npz")
def _gemma_scope(name, path):
    save_dictionary_as(EXAMPLES[name], path, "gemma-scope")


SAMPLES = ("relu", "topk", "jumprelu", "gated", "skip transcoder", "layer-norm scaling", "pca")
parser("dictionary", "d.safetensors", damage.safetensors_of, files_of(_dictionary, *EXAMPLES))(load_dictionary)
parser("four arrays", "d.safetensors", damage.safetensors_of, files_of(_four_arrays, "relu", "topk", "gated"))(
    lambda path: load_dictionary(path, model="gpt2", hook="residual-post.L3")
)
parser("gemma scope npz", "params.npz", damage.zip_of, files_of(_gemma_scope, "jumprelu"))(
    lambda path: load_dictionary(path, model="gemma-2-2b", hook="residual-post.L3")
)


def folder_parser(form, part, damaged, *names):
    """A reader of a folder format, one of whose files is damaged; the others are those of the last example."""

    def seeds(folder):
        found = []
        for number, name in enumerate(names):
            save_dictionary_as(EXAMPLES[name], folder / f"{number}", form)
            found.append((folder / f"{number}" / part).read_bytes())
        return found

    def read(path):
        last = path.parent / f"{len(names) - 1}"
        (last / part).write_bytes(path.read_bytes())
        return load_dictionary(last, model="gpt2", hook="residual-post.L3")

    parser(f"{form} {part}", "part", damaged, seeds)(read)


folder_parser("saelens", "cfg.json", damage.json_of, "gated", "topk", "jumprelu", "relu")
folder_parser("saelens", "sae_weights.safetensors", damage.safetensors_of, "topk", "jumprelu", "relu")
folder_parser("dictionary-learning", "config.json", damage.json_of, "gated", "topk", "jumprelu", "relu")
folder_parser("dictionary-learning", "ae.pt", damage.zip_of, "topk", "relu")
folder_parser("sparsify", "cfg.json", damage.json_of, "topk transcoder", "topk")
folder_parser("sparsify", "sae.safetensors", damage.safetensors_of, "topk")


@parser("artifacts of a submission", "a.safetensors", damage.safetensors_of, files_of(_native, *RANKED))
def _artifact(path):
    sae = {"track": "sae", "hook": "residual-post.L3", "tasks": ["sae-core"], "level": None}
    variable = {"track": "variable", "variable": "answer", "level": None}
    entries = [ArtifactEntry(**(entry(path, **own) | {"bytes": 1})) for own in ({}, variable, sae)]
    return Faults([fault for one in entries for fault in artifact_faults(path, one, SIZES)])


@dataclass(frozen=True)
class Faults:
    """What is wrong with an artifact."""

    failures: list[MibenchError]


# Records.


def committed(folder):
    """The smallest committed record of each track."""
    found = []
    for track in ("circuit", "variable", "sae"):
        paths = sorted((RECORDS / track).rglob("*.json"), key=lambda path: (path.stat().st_size, path))
        found += [path.read_bytes() for path in paths[:1]]
    return found


parser("record", "r.json", damage.json_of, committed)(lambda path: parse_record(path.read_bytes(), source="r.json"))


def tables(_):
    frames = (
        pd.DataFrame({"example": ["a", "b"], "value": [0.5, np.nan], "n": [1, 2], "flag": [True, False]}),
        pd.DataFrame({"x": np.arange(500.0)}),
    )
    return [table_bytes(frame, name="x") for frame in frames]


@parser("parquet table", "t.parquet", damage.bytes_of, tables)
def _table(path):
    content = path.read_bytes()
    sha = hashlib.sha256(content).hexdigest()
    with suppress(MibenchError):
        read_table(content, TableRef(file="t.parquet", sha256=sha, rows=2))
    return read_table(content, TableRef(file="t.parquet", sha256=sha, rows=500))


def confirmations(folder):
    made = json.loads(committed(folder)[0])["volatile"]["provenance"] | {"command": []}
    one = {"schema_version": 1, "record": "0" * 32, "tables": {"x": "0" * 64}, "verdict": "match", "difference": 0.0}
    return [json.dumps(one | {"where": None, "tolerance": 0.001, "made": made}).encode() + b"\n"]


parser("confirmations", "confirmations.jsonl", damage.lines_of, confirmations)(
    lambda path: read_confirmations(path.parent)
)


def saebench(_):
    fields = {
        "eval_type_id": "core", "eval_config": {"model_name": "gpt2"}, "eval_id": "x", "datetime_epoch_millis": 1,
        "eval_result_metrics": {"sparsity": {"l0": 5.0, "l1": 2.0}, "reconstruction_quality": {"mse": 0.1}},
        "sae_bench_commit_hash": "Not found", "sae_lens_id": "a", "sae_lens_release_id": "r",
        "sae_lens_version": "5.3.2",
        "sae_cfg_dict": {"model_name": "gpt2", "d_sae": 24, "hook_name": "h", "architecture": "topk"},
    }  # fmt: skip
    return [json.dumps(fields).encode()]


parser("saebench results", "a_eval_results.json", damage.json_of, saebench)(read_results)


# What users and organisers write.

RUN = "task: [ioi]\nmodel: [smollm2-135m]\nmethod: [eap]\nlimit: 5\nsweep:\n  eap: [{variant: mibench}]\n"
META = "method: mine\nversion: 2\nparams: {steps: 5}\nseed: 3\nselection: {rule: top-n}\n"


@parser("run yaml", "run.yaml", damage.yaml_of, lambda _: yaml_of(RUN, "task: ioi\nmodel: gpt2\nset: {steps: 5}\n"))
def _run(path):
    return run_settings(read_run_file(path))


@parser("plain yaml", "a.yaml", damage.yaml_of, lambda _: yaml_of(RUN, META))
def _plain(path):
    """What every reader of YAML does with it."""
    try:
        return load_yaml(path.read_bytes().decode("utf-8", "replace"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


parser("meta.yaml", "meta.yaml", damage.yaml_of, lambda _: yaml_of(META))(read_meta)
parser("position map", "map.yaml", damage.yaml_of, lambda _: yaml_of("last_token: last\nother: null\n"))(
    read_position_map
)


def published(_):
    (path,) = [one for one in shipped_places("data", "published", "mib_gpt2_ioi.yaml") if one.is_file()][:1]
    return yaml_of(path.read_text())


parser("published yaml", "p.yaml", damage.yaml_of, published)(lambda path: read_published(str(path)))

PAIR = {
    "id": "a",
    "clean": "x y",
    "counterfactual": "x z",
    "correct": " y",
    "incorrect": [" z", 5],
    "metric": "prob_diff",
}


def pairs(_):
    rows = [PAIR, PAIR | {"id": "b", "clean": [1, 2], "counterfactual": [1, 3], "correct": 2, "incorrect": 3}]
    return [b"\n".join(json.dumps(row).encode() for row in rows)]


parser("pairs", "pairs.jsonl", damage.lines_of, pairs)(read_pairs)


@parser("corpus jsonl", "c.jsonl", damage.lines_of, lambda _: [b'{"text": "a b", "year": 1}\n{"text": "c", "by": "x"}'])
def _corpus(path):
    return list(local_corpus(path, "c").source())


ROWS = {
    "ioi": parse_ioi,
    "mcqa": parse_choice,
    "arithmetic-addition": parse_arithmetic,
    "greater-than": parse_year,
}


def rows_parser(name, parse):
    """A reader of the rows of a task, as private splits and the hub have them."""

    def seeds(_):
        lines = (data_folder(name) / "test.jsonl").read_bytes().splitlines()
        return [b"\n".join(lines[:3])]

    def read(path):
        (path.parent / "digests.json").write_text(json.dumps({"sha256": {"test.jsonl": file_digest(path)}}))
        return [parse(row, where) for where, row in read_rows(path.parent, "test.jsonl")]

    parser(f"{name} rows", "test.jsonl", damage.lines_of, seeds)(read)


parser("digests.json", "digests.json", damage.json_of, lambda _: [b'{"sha256": {"test.jsonl": "0"}}'])(
    lambda path: shipped_digests(path.parent)
)

for task, parse_row in ROWS.items():
    rows_parser(task, parse_row)

# Models.

FIELDS = lens_fields(n_layers=1, d_vocab=11, d_vocab_out=11, d_mlp=8, n_ctx=6)


def configurations(_):
    plain_dicts = [pickle.dumps({"n_layers": 1, "act_fn": "gelu"}, form) for form in (0, 2, 4)]
    return [*plain_dicts, pickled_config(FIELDS)]


@parser("interpbench configuration", "ll_model_cfg.pkl", damage.bytes_of, configurations)
def _configuration(path):
    return lens_config(pickled_fields(path))


def weights(folder):
    torch.save(lens_weights(FIELDS), folder / "seed.pth")
    return [(folder / "seed.pth").read_bytes()]


parser("interpbench weights", "m.pth", damage.zip_of, weights)(
    lambda path: read_weights(path, lens_config(plain(FIELDS)))
)


def true_graph(_):
    edges = {name: {"in_graph": place % 3 == 0} for place, name in enumerate(GRAPH.edge_names())}
    cfg = {"n_layers": 2, "n_heads": 4, "parallel_attn_mlp": False}
    return [json.dumps({"cfg": cfg, "nodes": {}, "edges": edges}).encode()]


@parser("interpbench graph", "interpbench_graph.json", damage.json_of, true_graph)
def _graph(path):
    return truth_edges(path.parent), graph_size(path.parent)


def converted(_):
    fields = {"converter_version": 1, "folder_digest": "0" * 64, "source_sha256": {"weights": "0" * 64}, "files": {}}
    return [json.dumps(fields).encode()]


@parser("manifests of models", MANIFEST_FILE, damage.json_of, converted)
def _manifest(path):
    for spec in CATALOGUE.values():
        read_lens_manifest(path.parent, spec)
        read_manifest(path.parent, spec)


parser("config.json", "config.json", damage.json_of, lambda _: [b'{"model_type": "gpt2", "n_layer": 2, "n_head": 4}'])(
    lambda path: read_config(path.parent)
)

TRUTH = {
    "origin": "planted",
    "note": "",
    "tasks": {TASK: {"edges": ["input->m0"], "resolution": "head"}},
}
parser("truth.json", "truth.json", damage.json_of, lambda _: [json.dumps(TRUTH).encode()])(
    lambda path: read_truth(path.parent)
)


def subspaces(_):
    from safetensors.numpy import save

    return [save({"a": np.eye(4, dtype=np.float32), "b": np.ones((1, 4), np.float32)})]


parser("subspaces", "subspaces.safetensors", damage.safetensors_of, subspaces)(lambda path: read_subspaces(path.parent))
