"""The autointerp family: a judge explains latents, and has to find with the explanation where they are active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.engine.activations.source import ActivationSource
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.sae.autointerp import autointerp_metrics, without_judge
from mibench.tasks.sae.autointerp import AutointerpTask
from mibench.tracks.sae.autointerp_asking import Asking
from mibench.tracks.sae.autointerp_prompts import PROMPTS
from mibench.tracks.sae.autointerp_windows import Decode, TextWindows
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject
from mibench.tracks.sae.judges.judge import Judge
from mibench.tracks.sae.judges.reference import NO_JUDGE, judge_of
from mibench.tracks.sae.latent_traces import Sampling
from mibench.tracks.sae.text_halves import text_digest
from mibench.tracks.sae.traced_text import TracedText, network_of


def prepare(settings: AutointerpTask, ground: Ground) -> AutointerpEvaluation:
    """Return the evaluation; text is tokenized, and the models run, when they are first needed.

    Raises:
        UsageError: There is no model, the convention has no such family, a number of windows is too small, or the
            judge's reference or key cannot be used.
    """
    network = network_of(ground, "Judging explanations of latents")
    windows = settings.windows
    if min(windows.width, windows.top, windows.active, windows.inactive) < 1 or windows.drawn < 0:
        why = "A latent is explained from one window at least, and tried on one of each kind."
        raise UsageError("There are too few windows.", why=why, do="Give 1 or more of each.")
    return AutointerpEvaluation(settings, ground, network)


class AutointerpEvaluation:
    """A text at one place, and a judge.

    Args:
        settings: How much text, how many latents, which windows.
        ground: Where and how.
        network: The model whose latents are judged.
    """

    def __init__(self, settings: AutointerpTask, ground: Ground, network: Network) -> None:
        self._settings, self._seed, self._network = settings, ground.seed, network
        self._text = TracedText(ground, network, settings.tokens)
        self._judge: Judge | None = judge_of(settings, str(network.model.device))

    @property
    def digest(self) -> str:
        """sha256 of the text, the judge's name, the prompts, the settings and the seed."""
        settings = {name: value for name, value in asdict(self._settings).items() if name not in {"judge", "limits"}}
        judge = None if self._judge is None else self._judge.name
        about = {"settings": settings, "judge": judge, "prompts": PROMPTS, "seed": self._seed}
        return digest({"text": text_digest(self._text.blocks), **about})

    @property
    def n_examples(self) -> int:
        """Contexts of both halves."""
        return len(self._text.blocks)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @cached_property
    def _windows(self) -> TextWindows:
        decode: Decode | None = getattr(self._network.encoder, "decode", None)
        if decode is None:
            why = "A judge reads text, and this tokenizer only makes tokens."
            raise UsageError("Tokens cannot be turned into text.", why=why, do="Use a model with a whole tokenizer.")
        return TextWindows(self._text.blocks, self._text.halves, self._settings.windows, decode)

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries: two passes over the text for all, then two questions for every latent.

        Without a judge nothing is read, and every number is null with the reason.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            ModelError: The judge cannot be used, or does not answer.
            MibenchError: The text cannot be used with this model.
        """
        if self._judge is None:
            return [Scores({}, without_judge(NO_JUDGE)) for _ in subjects]
        sampling = Sampling(self._settings.latents, self._settings.min_active, self._seed)
        windows = self._windows
        traces = self._text.traces(subjects, sampling, progress)
        total = sum(len(one.latents) for one in traces)
        asking = Asking(self._judge, windows, self._settings, self._seed, total, progress)
        tables = [asking.tables(one) for one in traces]
        return [Scores(one, autointerp_metrics(one, seed=self._seed)) for one in tables]
