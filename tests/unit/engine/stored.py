"""Requests for activations of tiny models on random text."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from tiny_models import VOCAB, tiny_model

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.activations.request import StoreRequest
from mibench.engine.model import LanguageModel
from mibench.tasks.corpora.blocks import TokenBlocks

BOS = 3
SAE = Place("tiny", HookPoint(1))
TRANSCODER = Place("tiny", HookPoint(1, HookKind.MLP_IN), HookPoint(1, HookKind.MLP_OUT))
REF = ModelRef(name="tiny", digest="f" * 64)


@cache
def tiny(dtype=torch.float32):
    return LanguageModel(tiny_model("llama", dtype))


def text(n=23, context=6, *, bos=True, seed=0):
    """Random contexts; now and then a BOS token between documents, which does not count."""
    ids = np.random.default_rng(seed).integers(0, VOCAB, (n, context)).astype(np.int32)
    if bos:
        ids[:, 0] = BOS
    return TokenBlocks(ids, ids != BOS, np.zeros_like(ids), "random", "train", bos)


def request(folder=None, place=SAE, dtype=torch.float32, **changes):
    """Some chunks of three contexts; four contexts a pass."""
    made = StoreRequest(tiny(dtype), REF, text(), place, folder, batch_tokens=12)
    made = replace(made, **changes)
    return made if "chunk_bytes" in changes else replace(made, chunk_bytes=3 * made.block_bytes)
