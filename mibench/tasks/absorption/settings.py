"""Settings of the tasks on absorption: which words, in which prompts, and what counts as absorbed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AbsorptionRule:
    """How probes and main latents are made, and when a word is absorbed.

    Attributes:
        strengths: Candidates of C for the probes; validation chooses.
        least_f1: F1 on validation that a concept's probe has to exceed, else the concept is not scored.
        least_concepts: Concepts that have to be scored, else there are no numbers.
        most_main: Main latents of a concept, at most.
        jump: Rise of F1 on validation that another main latent has to bring.
        cosine: Cosine with the probe that an absorbing latent has to have.
        share: Share of the probe's projection that absorbing latents have to carry.
        absorbers: Latents that may carry it together, for the absorption fraction.
    """

    strengths: tuple[float, ...] = (0.01, 0.1, 1.0)
    least_f1: float = 0.6
    least_concepts: int = 5
    most_main: int = 10
    jump: float = 0.03
    cosine: float = 0.1
    share: float = 0.4
    absorbers: int = 3


@dataclass(frozen=True)
class LetterSettings:
    """First letters.

    Attributes:
        example: What a prompt says of an example, with ``{word}`` and ``{letter}``. The scored word stands in the same
            sentence, after the examples, and is read where it ends.
        examples: Examples in a prompt, drawn from the train words.
        words: Words of a letter, at most.
        least_words: Words that a letter has to have, else it is left out.
        least_length: Letters that a word has to have.
        split_seed: Of the choice of words, their split and the examples; part of the task, so that test words stay test
            words.
        rule: How they are probed and scored.
    """

    example: str = " {word}: {letter}\n"
    examples: int = 2
    words: int = 150
    least_words: int = 60
    least_length: int = 3
    split_seed: int = 0
    rule: AbsorptionRule = field(default_factory=AbsorptionRule)


@dataclass(frozen=True)
class HierarchySettings:
    """Kinds of things.

    Attributes:
        split_seed: Of the split by word.
        found: F1 on validation from which a latent stands for a kind, where hedging is measured.
        rule: How they are probed and scored.
    """

    split_seed: int = 0
    found: float = 0.5
    rule: AbsorptionRule = field(default_factory=AbsorptionRule)
