"""Recovery of known features in toy superposition: 64 independent ones in 32 entries; trains in seconds."""

from __future__ import annotations

from mibench.tasks.sae.dictionary_task import dictionary_task
from mibench.tasks.synthetic.settings import SyntheticSettings
from mibench.tasks.synthetic.toy_superposition import toy_superposition


@dictionary_task(
    name="sae-synthetic-toy",
    version=1,
    family="synthetic",
    model=False,
    citation="Elhage et al. 2022, arXiv:2209.10652 (law); sizes of our own",
    licence="Apache-2.0",
)
def synthetic_toy() -> SyntheticSettings:
    """Recovery of 64 independent known features in activations of 32 entries; generated."""
    return SyntheticSettings(toy_superposition(), samples=10_000, training=1_000_000)
