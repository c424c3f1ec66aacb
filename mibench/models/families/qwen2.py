"""Qwen2 and Qwen2.5: as Llama, with biases on q, k and v and optional sliding windows."""

from __future__ import annotations

from mibench.models.families.llama import llama
from mibench.models.layout import Layout, family


@family(architectures=("Qwen2ForCausalLM",))
def qwen2() -> Layout:
    """Layout of Qwen2 models; biases and windows are read from the modules and the config."""
    return llama()
