"""Which of our numbers are SAEBench's: those of the same definition, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mibench.core.specs import Convention

EVALS: Mapping[str, str] = MappingProxyType(
    {
        "sae-core": "core",
        "sae-probing": "sparse_probing",
        "sae-probes": "sparse_probing_sae_probes",
        "sae-scr": "scr",
        "sae-tpp": "tpp",
        "sae-absorption": "absorption_first_letter",
        "sae-causal": "ravel",
        "sae-autointerp": "autointerp",
    }
)
"""SAEBench's evaluation by task."""

UNDER_SAEBENCH = frozenset({"core", "sparse_probing", "scr", "tpp", "absorption_first_letter", "ravel"})
"""Evaluations that the convention ``saebench`` computes by its definitions, under its names."""
UNDER_BOTH = frozenset({"scr", "tpp"})
"""Evaluations that we have by SAEBench's definition only, whatever the convention; but see `PAIRS_LEFT_OUT`."""
PAIRS_LEFT_OUT = "SAEBench counts a pair without room as 0 and takes the mean over all pairs; here pairs are left out"
"""Said with a number of SCR that rests on fewer pairs than there are, and then is not SAEBench's."""
_LEAVES_BOS = "SAEBench's zero ablation takes BOS and special tokens too, its replacement leaves them; ours never does"
NOT_IMITATED: Mapping[str, str] = MappingProxyType(
    {
        "sparse_probing_sae_probes": "SAEBench reads the last token, divides latents by their mean, and picks C by "
        "area on a hold-out; our probes do none of it",
        "autointerp": "SAEBench's explanations and judgements are GPT-4o mini's; ours are those of the judge "
        "that the user gives",
    }
)
"""Evaluations of which no number of ours has SAEBench's definition, and why."""


@dataclass(frozen=True)
class Same:
    """A number of ours that is one of SAEBench's.

    Attributes:
        name: Our name.
        complement: Whether SAEBench's number is 1 minus ours.
    """

    name: str
    complement: bool = False


SAME: Mapping[str, Mapping[str, Same]] = MappingProxyType(
    {
        "core": {
            "l0": Same("l0"),
            "cossim": Same("cosine"),
            "l2_ratio": Same("shrinkage"),
            "relative_reconstruction_bias": Same("reconstruction_bias"),
            "frac_alive": Same("dead", complement=True),
            "freq_over_1_percent": Same("density_over_1_percent"),
            "freq_over_10_percent": Same("density_over_10_percent"),
            "average_max_decoder_cosine_sim": Same("decoder_max_cosine"),
        },
    }
)
"""Under the default convention: by evaluation and SAEBench's name, what of ours has the same definition."""

DIFFERENT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "core": {
            "explained_variance": "SAEBench divides by no variance; ours is 1 − Σ‖x − x̂‖² / Σ‖x − μ‖², one global μ",
            "explained_variance_legacy": "SAEBench takes the mean of a batch; ours is one global mean",
            "mse": "SAEBench divides by the number of tokens twice",
            "ce_loss_score": _LEAVES_BOS,
            "kl_div_score": _LEAVES_BOS,
            "l1": "SAEBench sums latents without absolute values",
        },
        "sparse_probing": {
            "sae_top_1_test_accuracy": "SAEBench takes latents as they are, with C = 1; ours scales them and tunes C",
            "sae_top_2_test_accuracy": "SAEBench takes latents as they are, with C = 1; ours scales them and tunes C",
            "sae_top_5_test_accuracy": "SAEBench takes latents as they are, with C = 1; ours scales them and tunes C",
        },
        "ravel": {"disentanglement_score": "SAEBench leaves out the reconstruction error; ours keeps it"},
    }
)
"""Why numbers of the default convention that look like SAEBench's are not."""


def same(eval_type: str, name: str, convention: Convention) -> Same | None:
    """Return what of ours is SAEBench's number, under a convention; None: nothing."""
    if eval_type in UNDER_BOTH or (convention is Convention.SAEBENCH and eval_type in UNDER_SAEBENCH):
        return Same(name)
    return SAME.get(eval_type, {}).get(name) if convention is Convention.MIBENCH else None


def why_none(eval_type: str, name: str, convention: Convention) -> str:
    """Return why we have no number of SAEBench's definition."""
    reason = NOT_IMITATED.get(eval_type)
    if reason is None and convention is Convention.MIBENCH:
        reason = DIFFERENT.get(eval_type, {}).get(name)
    hint = "" if convention is Convention.SAEBENCH or eval_type in NOT_IMITATED else "; --convention saebench has more"
    return f"{reason or 'not measured by this definition'}{hint}"
