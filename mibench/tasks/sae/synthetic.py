"""Recovery of known features: 512 with a hierarchy and correlations, in 64 entries; trains in minutes on a CPU."""

from __future__ import annotations

from mibench.tasks.sae.dictionary_task import dictionary_task
from mibench.tasks.synthetic.feature_forest import small_forest
from mibench.tasks.synthetic.settings import SyntheticSettings


@dictionary_task(
    name="sae-synthetic",
    version=1,
    family="synthetic",
    model=False,
    citation="Chanin and Garriga-Alonso 2026, arXiv:2602.14687 (design); sizes of our own",
    licence="Apache-2.0",
)
def synthetic() -> SyntheticSettings:
    """Recovery of 512 known features with a hierarchy, in activations of 64 entries; generated."""
    return SyntheticSettings(small_forest(), samples=20_000, training=5_000_000)
