"""A submission of circuits of given sizes, one file each."""

from __future__ import annotations

import numpy as np
from submission_cases import FILE, entry, good, manifest, scores, write_manifest

from mibench.artifacts.files import save_scores
from mibench.graph.graph import Graph

LARGE = Graph(8, 8, parallel=False)


def circuits(parent, budgets, **more):
    """A submission of one circuit for each budget."""
    folder, listed = good(parent), []
    (folder / FILE).unlink()
    ranking = scores(LARGE)
    order = np.argsort(-np.where(ranking.graph.real_mask, ranking.scores, -np.inf), axis=None)
    for budget in budgets:
        members = np.zeros(ranking.scores.size, bool)
        members[order[: max(1, int(budget * ranking.graph.n_edges))]] = True
        file = f"artifacts/{budget}.safetensors"
        one = scores(LARGE, in_graph=members.reshape(ranking.scores.shape) & ranking.graph.real_mask)
        save_scores(one, folder / file)
        listed.append(entry(folder / file, file, budget=budget, **more))
    write_manifest(folder, manifest(listed))
    return folder
