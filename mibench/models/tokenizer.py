"""Text to token ids without special tokens, and the id that begins a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mibench.core.errors import ModelError
from mibench.models.digest import TOKENIZER_FILES
from mibench.models.quiet import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BOS_OF_FAMILY = {"qwen2": "<|endoftext|>"}
"""What begins a prompt in families whose tokenizer declares no BOS token.

Qwen2 was trained with no BOS; ``<|endoftext|>`` separated its documents, and TransformerLens prepends it.
"""


@dataclass(frozen=True, eq=False)
class TextTokenizer:
    """A model's tokenizer as the tasks need it.

    Attributes:
        inner: The tokenizer of transformers.
        bos_id: Id that a prompt begins with; None where the model has none.
    """

    inner: PreTrainedTokenizerBase
    bos_id: int | None

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids that stand for no text, such as BOS and padding, ascending."""
        return tuple(sorted({int(token) for token in self.inner.all_special_ids}))

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; nothing is added."""
        return [int(token) for token in self.inner.encode(text, add_special_tokens=False)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the first and the after-last character of each token of :meth:`encode`.

        Raises:
            ModelError: The tokenizer does not know where its tokens stand.
        """
        if not self.inner.is_fast:
            raise ModelError(
                "The tokenizer does not know where in a text its tokens stand.",
                why=f"{type(self.inner).__name__} is of the slow kind.",
                do="Save the fast one beside the weights: a folder with tokenizer.json.",
            )
        found = self.inner(text, add_special_tokens=False, return_offsets_mapping=True)
        return [(int(start), int(end)) for start, end in found["offset_mapping"]]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``, special tokens and spaces as they are."""
        return str(self.inner.decode(list(ids), clean_up_tokenization_spaces=False))


def load_tokenizer(folder: Path, *, family: str) -> TextTokenizer | None:
    """Load the tokenizer of a checkpoint folder, or None where the folder has none.

    Args:
        folder: Folder in transformers format.
        family: ``model_type`` of its configuration.

    Raises:
        ModelError: The tokenizer files cannot be read.
    """
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        return None
    from transformers import AutoTokenizer

    try:
        with quiet_transformers():
            inner = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise ModelError(
            f"The tokenizer in {folder} cannot be loaded.",
            why=str(error).strip() or type(error).__name__,
            do="Save it again with tokenizer.save_pretrained(FOLDER), or remove it and give token ids.",
        ) from error
    return TextTokenizer(inner, _bos_id(inner, family))


def _bos_id(inner: PreTrainedTokenizerBase, family: str) -> int | None:
    if inner.bos_token_id is not None:
        return int(inner.bos_token_id)
    token = BOS_OF_FAMILY.get(family)
    return int(inner.get_vocab()[token]) if token in inner.get_vocab() else None
