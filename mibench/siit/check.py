"""Does a trained model have the mechanism that it was trained to have? On fresh prompts, of the test split."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.graph.graph import Graph
from mibench.metrics.faithfulness import faithfulness
from mibench.siit.alignment import Flow, edges_between
from mibench.siit.findings import Edges, Findings
from mibench.siit.probe import Probe, share
from mibench.tasks.encode import EncodedPair, encode
from mibench.tasks.known.programs import task_names
from mibench.tasks.pairs import Pair

_BATCH = 100


def check(probe: Probe) -> Findings:
    """Check a model's behaviour, the swaps of its variables, its off-circuit nodes and its edges."""
    alignment = probe.reader.alignment
    return Findings(
        behaviour=share(probe.plain == probe.answers),
        swaps={key: probe.swaps(key) for key in alignment.nodes},
        effects={node: _effect(probe, (node,)) for node in alignment.others},
        all_off=_effect(probe, alignment.others),
        mixtures=probe.mixtures(),
        edges={task: check_edges(probe, name) for task, name in task_names(probe.reader.program).items()},
        rows=len(probe.all_rows),
    )


def check_edges(probe: Probe, name: str) -> Edges:
    """Run the true edges of a counterfactual set by themselves, and the model without each of them."""
    alignment, model = probe.reader.alignment, LanguageModel(probe.loaded.model)
    flows = alignment.flows_of(alignment.live_links(probe.rows(name)))
    graph = model.graph
    without = [Circuit(graph, graph.real_mask & ~_mask(graph, [flow])) for flow in flows]
    circuits = [Circuit(graph, _mask(graph, flows)), *without]
    found = evaluate(model, _pairs(probe, name), circuits, Evaluation(batch_size=_BATCH))
    means = faithfulness(found.circuits.mean(axis=1), found.clean.mean(), found.empty.mean())
    weakest = int(np.argmax(means[1:]))
    return Edges(
        faithfulness=float(means[0]),
        accuracy=float((found.circuits[0] > 0).mean()),
        count=len(flows),
        weakest="->".join(flows[weakest]),
        loss=float(1.0 - means[1 + weakest]),
    )


def _effect(probe: Probe, nodes: Iterable[str]) -> float:
    return share(probe.swapped(nodes) != probe.plain)


def _mask(graph: Graph, flows: Iterable[Flow]) -> NDArray[np.bool_]:
    mask = np.zeros(graph.shape, dtype=np.bool_)
    for flow in flows:
        for edge in edges_between(flow):
            mask[graph.edge_index(edge)] = True
    return mask


def _pairs(probe: Probe, name: str) -> list[EncodedPair]:
    found = islice(probe.reader.program.pairs(name)("test", probe.tokenizer), probe.limit)
    pairs = [pair for pair in found if isinstance(pair, Pair)]
    return encode(pairs, probe.tokenizer, probe.loaded.vocab_size)
