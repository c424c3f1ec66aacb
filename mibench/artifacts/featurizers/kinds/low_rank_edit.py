"""low_rank_edit: LoReFT (arXiv 2404.03592), ``x' = x + (x W + b − x R) Rᵀ``; it takes nothing from a source.

``R [d, k]`` has orthonormal columns, ``W [d, k]``, ``b [k]``. An edit, not an interchange: ranked on its own board.
"""

from __future__ import annotations

from mibench.artifacts.featurizers.kinds import orthogonal
from mibench.artifacts.featurizers.kinds.kind import Kind

KIND = Kind(
    "low_rank_edit",
    lambda _: {"rotation": ("d", "k"), "weight": ("d", "k"), "bias": ("k",)},
    width="k",
    check=orthogonal.KIND.check,
    edit=True,
)
