"""Tables of the causal-variable track with shares of right answers that a test names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mibench.core.sites import Component, Site
from mibench.core.specs import Cell, MethodRef, ModelRef, TaskRef, Track, VariableRef
from mibench.metrics.variable.scores import variable_metrics
from mibench.metrics.variable.size import n_parameters
from mibench.metrics.variable.tables import JOINT, VariableTables
from mibench.records.record import Cost, RunRecord, Volatile
from mibench.records.store import Store

POSITIONS = ("last", "symbol")


def variable_tables(
    right: Mapping[str, Any],
    noop: Mapping[str, float],
    *,
    isolate: Sequence[str] = (),
    n: int = 10,
    positions: Sequence[str] = POSITIONS,
    layers: Sequence[int] | None = None,
    scores: Any = None,
    n_layers: int | None = None,
    draw: int | None = None,
) -> VariableTables:
    """Tables in which set ``s`` has the share ``right[s][layer][position]`` of its ``n`` rows right.

    Args:
        right: Shares by set, layers × positions; NaN: the site is missing.
        noop: Shares of the no-op by set.
        isolate: Sets whose answers the interchange does not change; one named ``mixed`` has every other row so.
        n: Rows a set.
        positions: Names of the columns of ``right``.
        layers: Layers of the rows of ``right``; None: from 0.
        scores: Validation scores, layers × positions; None: the mean of the shares.
        n_layers: Layers of the model; None: the number of rows.
        draw: Seed that says which rows are right; None: the first ones.
    """
    shares = {name: np.asarray(values, dtype=float) for name, values in right.items()}
    depth = len(next(iter(shares.values())))
    layers = range(depth) if layers is None else layers
    scores = np.mean(list(shares.values()), axis=0) if scores is None else np.asarray(scores, dtype=float)
    rng = np.random.default_rng(draw)
    frames, rows, sites = [], [], []
    for name, values in shares.items():
        ids = [f"{name}-{index:04}" for index in range(n)]
        cause = [name not in isolate and not (name == "mixed" and index % 2) for index in range(n)]
        rows.append(_rows(name, ids, cause, noop[name], rng if draw is not None else None))
        for (row, column), share in np.ndenumerate(values):
            if np.isfinite(share):
                site = Site(layers[row], positions[column])
                correct = _rows(name, ids, cause, share, rng if draw is not None else None)
                frames.append(correct.assign(**_site(site)))
    for (row, column), score in np.ndenumerate(scores):
        site = Site(layers[row], positions[column])
        if np.isfinite(score):
            sites.append(_site(site) | {"score": score, "normalised": score})
    selection = pd.DataFrame(sites)
    selection["chosen"] = np.arange(len(selection)) == int(selection["score"].to_numpy().argmax())
    examples = pd.concat(frames, ignore_index=True).assign(n_layers=n_layers or depth)
    return VariableTables(examples, pd.concat(rows, ignore_index=True), selection, attrition(shares, n))


def linear_tables(
    errors: Mapping[str, Mapping[str, float]], *, n: int = 40, target_scale: float = 2.0
) -> VariableTables:
    """Tables of heads whose contrast misses the target by ± ``errors[set][group]``; ``noop`` names the no-op.

    A group is ``layer.head``, or ``joint``; targets are ± ``target_scale``, half of each, in every set.
    """
    frames, rows = [], []
    for name, by_group in errors.items():
        ids = [f"{name}-{index:04}" for index in range(n)]
        target = target_scale * np.where(np.arange(n) % 2, 1.0, -1.0)
        miss = np.where(np.arange(n) % 4 < 2, 1.0, -1.0)
        for group, error in by_group.items():
            frame = _rows(name, ids, [True] * n, 0.0, None).assign(contrast=target + error * miss, target=target)
            if group == "noop":
                rows.append(frame)
            else:
                frames.append(frame.assign(**_head(group)))
    examples = pd.concat(frames, ignore_index=True).assign(n_layers=12)
    groups = examples.drop_duplicates("group")[["group", "layer", "position", "head"]]
    missed = (examples["contrast"] - examples["target"]) ** 2
    scores = -missed.groupby(examples["group"]).mean().reindex(groups["group"]).to_numpy()
    selection = groups.assign(score=scores, normalised=scores, chosen=np.arange(len(scores)) == scores.argmax())
    return VariableTables(examples, pd.concat(rows, ignore_index=True), selection, attrition(errors, n))


def variable_cell(method: str, *, seed: int | None = None, **fields: Any) -> Cell:
    """A cell of the variable track."""
    where = {"name": "answer_pointer", "positions": POSITIONS} | fields.get("where", {})
    return Cell(
        track=Track.VARIABLE,
        task=TaskRef(
            name=fields.get("task", "mcqa"), version=1, split="test", limit=fields.get("limit"), digest="a" * 64
        ),
        model=ModelRef(name="smollm2-135m", digest="b" * 64),
        method=MethodRef(name=method, version=1, params=fields.get("params", {}), seed=seed),
        variable=VariableRef(**where),
    )


def write_variable(store: Store, method: str, tables: VariableTables, **fields: Any) -> RunRecord:
    """Score tables and write the record with them, as a run would."""
    cost = Cost(seconds=75.5, peak_bytes=3 * 2**29, forward_passes=60.0, backward_passes=30.0, examples=30)
    record = RunRecord(
        cell=variable_cell(method, **fields),
        status="ok",
        metrics=variable_metrics(tables, resamples=300) | {"n_parameters": n_parameters(4608)},
        board=fields.get("board"),
        volatile=Volatile(cost=cost, discovery=cost),
    )
    return store.write(record, tables.by_name())


def attrition(sets: Mapping[str, Any], n: int) -> pd.DataFrame:
    """An attrition table in which nothing was left out."""
    return pd.DataFrame({"set": list(sets), "rows": n, "base_wrong": 0, "source_wrong": 0, "kept": n})


def _rows(name: str, ids: Sequence[str], cause: Sequence[bool], share: float, rng: Any) -> pd.DataFrame:
    correct = np.arange(len(ids)) < round(share * len(ids))
    if rng is not None:
        correct = rng.permutation(correct)
    bare = {"contrast": np.nan, "target": np.nan, "label_logprob": -1.0}
    return pd.DataFrame({"set": name, "example": ids, "cause": cause, "correct": correct} | bare)


def _site(site: Site) -> dict[str, Any]:
    head = -1 if site.head is None else site.head
    names = {"group": site.name, "component": str(site.component), "position": site.position}
    return names | {"layer": site.layer, "head": head}


def _head(group: str) -> dict[str, Any]:
    if group == "joint":
        both = " + ".join(Site(layer, "all", Component.HEAD, 1).name for layer in (7, 8))
        return {"group": both, "component": "head", "position": "all", "layer": JOINT, "head": -1}
    layer, head = map(int, group.split("."))
    return _site(Site(layer, "all", Component.HEAD, head))
