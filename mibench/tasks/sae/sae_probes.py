"""k-sparse probing on binary sets of the package sae-probes."""

from __future__ import annotations

from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.sae.dictionary_task import dictionary_task

_SETS = (
    "5_hist_fig_ismale",
    "21_headline_istrump",
    "23_headline_ischina",
    "60_wikidata_occupation_isathlete",
    "65_high-school",
    "69_blood-pressure",
    "77_second-derivative",
    "92_glue_sst2",
    "94_ai_gen",
    "96_spam_is",
    "105_click_bait",
    "110_aimade_humangpt3",
    "113_movie_sent",
    "124_world_country_United_States",
    "135_context_type_Event_duration",
    "139_news_class_Politics",
    "146_disease_class_cardiovascular diseases",
    "152_it_tick_Hardware",
    "159_code_Python",
    "161_agnews_0",
)


@dictionary_task(
    name="sae-probes",
    version=1,
    family="probing",
    citation="Kantamneni et al. 2025 (arXiv 2502.16681), package sae-probes",
    licence="package MIT; texts under the terms of their many sources",
)
def sae_probes() -> ProbingSettings:
    """k-sparse probes on twenty binary sets of the package sae-probes (install it first).

    Of 36 sets that were tried, those that a probe on the whole activation of SmolLM2-135M (layer 15) reads with an
    accuracy of .7 or more, 300 texts a set.
    """
    return ProbingSettings(collection="sae-probes", sets=_SETS, rows=400, max_tokens=48)
