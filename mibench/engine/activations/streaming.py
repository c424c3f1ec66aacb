"""Chunks of activations, made by running the model."""

from __future__ import annotations

import torch

from mibench.core.errors import ModelError
from mibench.engine.activations.capture import Found, read
from mibench.engine.activations.prompts import share_of
from mibench.engine.activations.request import StoreRequest


def compute(request: StoreRequest, chunk: int) -> Found:
    """Run the model on the contexts of a chunk, up to the deepest hook point.

    Returns:
        Activations ``[blocks, context, width]`` by hook point, in the model's type, on its device.

    Raises:
        ModelError: Some are not finite.
    """
    model, blocks = request.model, request.blocks
    rows = request.rows(chunk)
    ids = torch.from_numpy(blocks.ids[rows]).to(model.device, torch.long)
    found = {
        point: torch.empty((len(ids), blocks.context, width), dtype=model.dtype, device=model.device)
        for point, width in request.widths.items()
    }
    step = max(1, request.batch_tokens // blocks.context)
    for start in range(0, len(ids), step):
        for point, values in read(model, ids[start : start + step], request.points).items():
            found[point][start : start + step] = values
    request.counter.forward(round(share_of(model, request.points) * len(ids)))
    for point, values in found.items():
        # The sum of a chunk is finite only if each of them is, and costs no copy of them.
        if not bool(torch.isfinite(values.sum(dtype=torch.float64))):
            why = f"On contexts {rows.start} to {rows.stop - 1}, with weights in {request.ref.dtype}."
            raise ModelError(f"Activations at {point.name} are not finite.", why=why, do="Use bfloat16 or float32.")
    return found
