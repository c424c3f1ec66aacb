"""Recovery of known features at the size of SynthSAEBench: 16,384 in 768 entries; training wants an accelerator."""

from __future__ import annotations

from mibench.tasks.sae.dictionary_task import dictionary_task
from mibench.tasks.synthetic.feature_forest import large_forest
from mibench.tasks.synthetic.settings import SyntheticSettings


@dictionary_task(
    name="sae-synthetic-16k",
    version=1,
    family="synthetic",
    model=False,
    citation="Chanin and Garriga-Alonso 2026, arXiv:2602.14687",
    licence="Apache-2.0",
)
def synthetic_16k() -> SyntheticSettings:
    """Recovery of 16,384 known features with a hierarchy, in activations of 768 entries; generated."""
    return SyntheticSettings(large_forest(), samples=20_000, training=200_000_000)
