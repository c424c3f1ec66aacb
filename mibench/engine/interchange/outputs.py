"""What interventions did to the answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """Judged answers of every intervention on every row, ``[interventions, rows]`` each.

    Attributes:
        correct: The answer is the one that the causal model predicts, bool.
        label_logprob: Log-probability of the label, summed over its tokens, in nats, float64; nan without a label.
        contrast: Logit of the target's first answer minus that of its second, float64; nan without a target.
    """

    correct: np.ndarray
    label_logprob: np.ndarray
    contrast: np.ndarray
