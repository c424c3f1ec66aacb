"""A judge on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from mibench.core.errors import ModelError
from mibench.core.files import is_folder
from mibench.models.digest import folder_digest
from mibench.models.load import HFModel, load_hf
from mibench.models.placement import main_device
from mibench.models.quiet import quiet_transformers
from mibench.models.tokenizer import TextTokenizer
from mibench.tracks.sae.judges.judge import NoAnswerError, Question, storable


@dataclass(frozen=True, eq=False)
class LocalJudge:
    """Decodes greedily; the model is loaded when it is named or asked first.

    Attributes:
        ref: A catalogue name, a folder, or ``hub/id@revision``.
        device: Device of torch.
        dtype: Type of its weights.
    """

    ref: str
    device: str
    dtype: str = "float32"

    @cached_property
    def name(self) -> str:
        """Its reference, of a folder the folder's own name, and the digest of its weights.

        A reference alone does not fix a model: a branch of the hub moves. Device and type of the weights are not in it.
        Weights of a folder are not loaded for it.
        """
        if not is_folder(self.ref):
            return f"local:{self.ref}@{self._model.digest}"
        folder = Path(self.ref).resolve()
        return f"local:{folder.name}@{folder_digest(folder)}"

    @cached_property
    def _model(self) -> HFModel:
        return load_hf(self.ref, dtype=self.dtype, device=self.device)

    @cached_property
    def _loaded(self) -> tuple[HFModel, TextTokenizer]:
        found = self._model
        if found.tokenizer is None:
            why = "It can be asked nothing."
            raise ModelError(f"The judge {self.name} has no tokenizer.", why=why, do="Use a model with one.")
        return found, found.tokenizer

    def answer(self, question: Question) -> str:
        """Return the likeliest continuation, token by token.

        Raises:
            NoAnswerError: The question is longer than the model can read.
            ModelError: It cannot be loaded, or has no tokenizer.
        """
        found, tokenizer = self._loaded
        ids = _prompt(tokenizer, question)
        longest = getattr(found.model.config, "max_position_embeddings", None)
        if longest is not None and len(ids) + question.max_tokens > longest:
            told = f"question and answer have {len(ids)} + {question.max_tokens} tokens, and it reads {longest}"
            raise NoAnswerError(told)
        given = torch.tensor([ids], device=main_device(self.device))
        with torch.inference_mode(), quiet_transformers():
            written = found.model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=question.max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=tokenizer.inner.pad_token_id or tokenizer.inner.eos_token_id or 0,
            )
        return storable(str(tokenizer.inner.decode(written[0, len(ids) :], skip_special_tokens=True)))


def _prompt(tokenizer: TextTokenizer, question: Question) -> list[int]:
    """Token ids of a question, in the model's chat form where it has one."""
    text = f"{question.task}\n\n{question.material}\n"
    if tokenizer.inner.chat_template is None:
        before = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
        return [*before, *tokenizer.encode(text)]
    # Some templates refuse a system message, so that all is in the user's.
    said = [{"role": "user", "content": text}]
    shown = tokenizer.inner.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
    return tokenizer.encode(str(shown))
