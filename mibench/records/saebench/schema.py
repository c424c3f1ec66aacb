"""Which keys SAEBench's result files have. Source: SAEBench 0.6.0 (arXiv 2503.09532) and its result files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TOP_KEYS = (
    "eval_type_id", "eval_config", "eval_id", "datetime_epoch_millis", "eval_result_metrics", "eval_result_details",
    "sae_bench_commit_hash", "sae_lens_id", "sae_lens_release_id", "sae_lens_version", "sae_cfg_dict",
    "eval_result_unstructured",
)  # fmt: skip
"""Keys of a file, in SAEBench's order."""

KS = (1, 2, 5, 10, 20, 50, 100)
NS = (2, 5, 10, 20, 50, 100, 500)
_PARTS = ("total_metric", "intended_diff_only", "unintended_diff_only")
_SCORES = ("absorption_fraction_score", "full_absorption_score", "num_split_features")

Categories = Mapping[str, tuple[str, ...]]

SCHEMA: Mapping[str, Categories] = MappingProxyType(
    {
        "core": {
            "model_behavior_preservation": ("kl_div_score", "kl_div_with_ablation", "kl_div_with_sae"),
            "model_performance_preservation": (
                "ce_loss_score", "ce_loss_with_ablation", "ce_loss_with_sae", "ce_loss_without_sae",
            ),
            "reconstruction_quality": ("explained_variance", "explained_variance_legacy", "mse", "cossim"),
            "shrinkage": ("l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias"),
            "sparsity": ("l0", "l1"),
            "token_stats": ("total_tokens_eval_reconstruction", "total_tokens_eval_sparsity_variance"),
            "misc_metrics": (
                "freq_over_1_percent", "freq_over_10_percent", "normalized_freq_over_1_percent",
                "normalized_freq_over_10_percent", "average_max_encoder_cosine_sim", "average_max_decoder_cosine_sim",
                "frac_alive",
            ),
        },
        "sparse_probing": {
            "llm": ("llm_test_accuracy", *(f"llm_top_{k}_test_accuracy" for k in KS)),
            "sae": ("sae_test_accuracy", *(f"sae_top_{k}_test_accuracy" for k in KS)),
        },
        "scr": {
            "scr_metrics": tuple(f"scr_{kind}_threshold_{n}" for n in NS for kind in ("dir1", "metric", "dir2")),
        },
        "tpp": {"tpp_metrics": tuple(f"tpp_threshold_{n}_{part}" for n in NS for part in _PARTS)},
        "absorption_first_letter": {
            "mean": (*(f"mean_{name}" for name in _SCORES), *(f"std_dev_{name}" for name in _SCORES)),
        },
        "ravel": {"ravel": ("disentanglement_score", "cause_score", "isolation_score")},
        "unlearning": {"unlearning": ("unlearning_score",)},
        "autointerp": {"autointerp": ("autointerp_score", "autointerp_std_dev")},
        "meta_structure_decoder_variance": {
            "meta_structure": ("decoder_fraction_variance_explained", "final_reconstruction_mse", "train_time_seconds"),
        },
        "sparse_probing_sae_probes": {
            "llm": ("llm_test_accuracy", "llm_test_auc", "llm_test_f1"),
            "sae": (
                "sae_test_accuracy",
                *(f"sae_top_{k}_test_{score}" for k in KS for score in ("accuracy", "auc", "f1")),
            ),
        },
    }
)  # fmt: skip
"""By evaluation: categories, and the names of their metrics."""

HEADLINES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "core": ("l0", "ce_loss_score", "explained_variance_legacy", "explained_variance", "frac_alive"),
        "sparse_probing": ("sae_top_1_test_accuracy", "sae_top_5_test_accuracy", "llm_test_accuracy"),
        "scr": ("scr_metric_threshold_10", "scr_metric_threshold_20"),
        "tpp": ("tpp_threshold_10_total_metric", "tpp_threshold_20_total_metric"),
        "absorption_first_letter": (
            "mean_absorption_fraction_score", "mean_full_absorption_score", "mean_absorption_score",
        ),
        "ravel": ("disentanglement_score", "cause_score", "isolation_score"),
        "unlearning": ("unlearning_score",),
        "autointerp": ("autointerp_score", "autointerp_std_dev"),
        "meta_structure_decoder_variance": ("decoder_fraction_variance_explained",),
        "sparse_probing_sae_probes": ("sae_top_1_test_accuracy", "sae_top_5_test_accuracy", "llm_test_accuracy"),
    }
)  # fmt: skip
"""What is shown first of each evaluation."""

LATEST_MILLIS = 9_999_999_999_999
"""Largest time that SAEBench accepts."""
FILE_SUFFIX = "_eval_results.json"


def file_name(release: str, sae_id: str) -> str:
    """Return the name that SAEBench gives a file."""
    return f"{release}_{sae_id}{FILE_SUFFIX}".replace("/", "_")
