"""Sources in the layouts of MIB and of dictionaries, for tests of imports."""

from __future__ import annotations

from dataclasses import replace

import mib_triplets as mib
import numpy as np
from dictionary_examples import example

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionary_files import save_dictionary_as
from mibench.artifacts.files import save_scores
from mibench.artifacts.series import BUDGETS
from mibench.core.hook_points import HookPoint
from mibench.core.specs import Level
from mibench.graph.graph import Graph

GPT2 = Graph(12, 12, False)
LENS = Graph(6, 4, False)
WIDTHS = {GPT2: 768, LENS: 64}


def scores(graph=LENS, level=Level.EDGE, seed=0, width=None, **more):
    """Random scores of a graph of MIB's."""
    shape = {Level.EDGE: graph.shape, Level.NODE: (graph.n_sources,)}[level]
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return CircuitScores(graph, level, values, width or WIDTHS[graph], **more)


def importances(folder, name="importances.json", **more):
    """Write a file of importances; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_scores(scores(**more), folder / name)
    return folder / name


def nine(folder, graph=LENS, seed=0, suffix=".json"):
    """Write nine binary circuits."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort(np.random.default_rng(seed).normal(size=graph.shape), axis=None, kind="stable")
    order = order[graph.real_mask.ravel()[order]]
    for number, share in enumerate(BUDGETS):
        members = np.zeros(graph.shape, dtype=np.bool_)
        # The last ones are full of edges that reach the logits.
        members.flat[order[: int(share * graph.n_edges)]] = True
        one = CircuitScores(graph, Level.EDGE, members.astype(np.float32), WIDTHS[graph], in_graph=members, binary=True)
        save_scores(one, folder / f"circuit_{number}{suffix}")
    return folder


def triplets(folder, layers=(0, 1), token="last_token", d=768, k=3):
    """Write MIB's triplets of subspaces."""
    for layer in layers:
        mib.save(folder, f"ResidualStream(Layer-{layer},Token-{token})", mib.subspace(d, k, seed=layer))
    return folder


def dictionary(path, form="saelens", model="gpt2", d_in=768, d_sae=16, kind="relu"):
    """Write a dictionary in a foreign format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = replace(example(kind, d_in, d_sae), place=Place(model, HookPoint(3)))
    save_dictionary_as(found, path, form)
    return path
