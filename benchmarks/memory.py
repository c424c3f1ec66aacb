"""Peak memory of the circuit track on 100 IOI prompts in one run: set by the tokens of a batch, not by its pairs.

python benchmarks/memory.py [--batch-size 100] [--batch-tokens 512]
"""

from __future__ import annotations

from typing import Any

import click
import torch
from costs import resident_peak
from inputs import LEFT_5, MODEL

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.batches import MAX_TOKENS
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.models.load import load_hf
from mibench.tasks.encode import encode
from mibench.tasks.load import load_task
from mibench.tracks.select import circuits_of

LIMIT_GIB = 3.0


def tell(what: str) -> None:
    """Print the peak so far."""
    click.echo(f"{what:17} {resident_peak() / 2**30:.2f} GiB")


@click.command()
@click.option("--limit", default=100, show_default=True, help="Prompts.")
@click.option("--batch-size", default=100, show_default=True)
@click.option("--batch-tokens", default=MAX_TOKENS, show_default=True)
def main(limit: int, batch_size: int, batch_tokens: int) -> None:
    """Print the peak after loading, EAP-IG with 5 steps, and both curves; exit 1 above 3 GiB."""
    torch.set_num_threads(1)
    hf = load_hf(MODEL)
    pairs = encode(load_task("ioi").pairs("test", limit), hf.tokenizer, hf.vocab_size)
    model = LanguageModel(hf.model)
    tell("model loaded")
    batching: dict[str, Any] = {"batch_size": batch_size, "batch_tokens": batch_tokens}
    scores = attribute_edges(model, pairs, Attribution(LEFT_5, **batching))
    tell("EAP-IG, 5 steps")
    made = CircuitScores(model.graph, Level.EDGE, scores, d_model=model.anatomy.d_model)
    evaluate(model, pairs, [one.circuit for one in circuits_of(made)], Evaluation(**batching))
    tell("both curves")
    raise SystemExit(1 if resident_peak() / 2**30 > LIMIT_GIB else 0)


if __name__ == "__main__":
    main()
