"""Asking a judge about one latent after the other, and keeping all that it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.core.errors import ModelError
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.sae.autointerp import JUDGEMENTS, NO_ANSWER, READ, TOO_FEW, UNREADABLE, WINDOWS
from mibench.tasks.sae.autointerp import AutointerpTask
from mibench.tracks.sae.autointerp_prompts import detect, explain, read_decisions, read_explanation
from mibench.tracks.sae.autointerp_windows import Choice, TextWindows
from mibench.tracks.sae.judges.judge import Judge, NoAnswerError, Question
from mibench.tracks.sae.latent_traces import LatentTraces

_LONGEST = 10_000
"""Characters of an answer that are kept."""
_JUDGEMENT_COLUMNS = ("latent", "status", "why", "explanation", "raw_explanation", "raw_answer", "judge")
_WINDOW_COLUMNS = ("latent", "role", "place", "context", "start", "stop", "peak", "active", "answer")


@dataclass
class Judgement:
    """What came of one latent.

    Attributes:
        status: One of `mibench.metrics.sae.autointerp.STATUSES`.
        why: Why there are no decisions.
        explanation: What the judge says the latent is for.
        raw_explanation: All that it said then.
        raw_answer: All that it said of the windows.
        decisions: Of each window, whether the latent is active there.
    """

    status: str = READ
    why: str = ""
    explanation: str = ""
    raw_explanation: str = ""
    raw_answer: str = ""
    decisions: list[bool] | None = None


@dataclass
class Asking:
    """Asks about the latents of dictionaries.

    Attributes:
        judge: Who is asked.
        windows: What about.
        settings: How long an explanation may be, and when to give up.
        seed: Of the choice of windows.
        total: Latents of all dictionaries.
        progress: Told how many of them are done.
        failures: Questions in a row that got no answer.
        done: Latents that were asked about.
    """

    judge: Judge
    windows: TextWindows
    settings: AutointerpTask
    seed: int
    total: int
    progress: Progress = no_progress
    failures: int = field(default=0, init=False)
    done: int = field(default=0, init=False)

    def tables(self, traces: LatentTraces) -> dict[str, pd.DataFrame]:
        """Ask about every sampled latent of a dictionary.

        Raises:
            ModelError: The judge cannot be used, or does not answer any more.
        """
        judgements: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for column, latent in enumerate(traces.latents.tolist()):
            tokens, values = traces.of(column)
            choice = self.windows.choose(tokens, values, np.random.default_rng([self.seed, 2, latent]))
            found = self._judgement(choice, self._active(tokens))
            kept = {name: getattr(found, name) for name in _JUDGEMENT_COLUMNS[1:-1]}
            judgements.append({"latent": latent, **kept, "judge": self.judge.name})
            rows += self._rows(latent, choice, found.decisions)
            self.done += 1
            self.progress(self.done, self.total)
        return {
            JUDGEMENTS: pd.DataFrame(judgements, columns=list(_JUDGEMENT_COLUMNS)),
            WINDOWS: pd.DataFrame(rows, columns=list(_WINDOW_COLUMNS)),
        }

    def _active(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(len(self.windows.of_token), np.bool_)
        found[tokens] = True
        return found

    def _judgement(self, choice: Choice, active: NDArray[np.bool_]) -> Judgement:
        if choice.why:
            return Judgement(TOO_FEW, choice.why)
        found = Judgement()
        excerpts = [self.windows.marked(window, choice, active) for window in choice.explain.tolist()]
        texts = [self.windows.text(window) for window in choice.detect.tolist()]
        try:
            said = self._ask(explain(excerpts, self.settings.explanation_tokens))
            found.raw_explanation, explanation = said[:_LONGEST], read_explanation(said)
            if explanation is None:
                return _unread(found, "the explanation is empty")
            found.explanation = explanation
            said = self._ask(detect(explanation, texts))
        except NoAnswerError as error:
            found.status, found.why = NO_ANSWER, str(error)
            return found
        found.raw_answer, found.decisions = said[:_LONGEST], read_decisions(said, len(texts))
        if found.decisions is None:
            return _unread(found, f"the answer is not a list of {len(texts)} zeros and ones")
        return found

    def _ask(self, question: Question) -> str:
        try:
            said = self.judge.answer(question)
        except NoAnswerError as error:
            self.failures += 1
            if self.failures < self.settings.limits.failures:
                raise
            raise ModelError(
                f"The judge {self.judge.name} does not answer.",
                why=f"{self.failures} questions in a row: {error}.",
                do="Check that it runs and takes such long questions; a larger window setting makes them longer.",
            ) from error
        self.failures = 0
        return said

    def _rows(self, latent: int, choice: Choice, decisions: list[bool] | None) -> list[dict[str, Any]]:
        rows = []
        for role, windows in (("explain", choice.explain), ("detect", choice.detect)):
            for place, window in enumerate(windows.tolist()):
                context, start, stop = self.windows.span(window)
                peak = float(choice.peaks[window])
                answer = float(decisions[place]) if decisions is not None and role == "detect" else np.nan
                numbers = (latent, role, place, context, start, stop, peak, peak > 0, answer)
                rows.append(dict(zip(_WINDOW_COLUMNS, numbers, strict=True)))
        return rows


def _unread(found: Judgement, why: str) -> Judgement:
    found.status, found.why = UNREADABLE, why
    return found
