"""k-sparse probing on binary sets of the package sae-probes."""

from __future__ import annotations

from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.sae.dictionary_task import dictionary_task


@dictionary_task(
    name="sae-probes",
    version=1,
    family="probing",
    citation="Kantamneni et al. 2025 (arXiv 2502.16681), package sae-probes",
    licence="package MIT; texts under the terms of their many sources",
)
def sae_probes() -> ProbingSettings:
    """k-sparse probes on one to three binary sets of each family of the package sae-probes (install it first)."""
    return ProbingSettings(
        collection="sae-probes",
        sets=(
            "5_hist_fig_ismale",
            "7_hist_fig_ispolitician",
            "21_headline_istrump",
            "23_headline_ischina",
            "26_headline_isfrontpage",
            "36_sciq_tf",
            "44_phys_tf",
            "50_deon_isvalid",
            "52_virtue_is",
            "54_cs_tf",
            "56_wikidatasex_or_gender",
            "60_wikidata_occupation_isathlete",
            "64_wikidata_occupation_isresearcher",
            "65_high-school",
            "69_blood-pressure",
            "77_second-derivative",
            "87_glue_cola",
            "91_glue_qqp",
            "92_glue_sst2",
            "94_ai_gen",
            "96_spam_is",
            "105_click_bait",
            "106_hate_hate",
            "110_aimade_humangpt3",
            "113_movie_sent",
            "114_nyc_borough_Manhattan",
            "118_us_state_CA",
            "124_world_country_United_States",
            "126_art_type_book",
            "129_arith_mc_A",
            "135_context_type_Event_duration",
            "139_news_class_Politics",
            "146_disease_class_cardiovascular diseases",
            "149_twt_emotion_happiness",
            "152_it_tick_Hardware",
            "155_athlete_sport_basketball",
            "159_code_Python",
            "161_agnews_0",
        ),
        rows=400,
        max_tokens=48,
    )
