"""The small tokenizer, which also says where its tokens stand."""

from __future__ import annotations

from text_pieces import Pieces


class OffsetPieces(Pieces):
    """As :class:`Pieces`; a word's token takes in the space before it, as those of byte-level tokenizers do."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [found.span() for found in self.pattern.finditer(text)]
