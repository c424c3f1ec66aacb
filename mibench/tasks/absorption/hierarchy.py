"""Members of kinds of things in sentences: to be the member is to be of its kind."""

from __future__ import annotations

from mibench.tasks.absorption.kinds import KINDS, TEMPLATES
from mibench.tasks.absorption.prompts import SLOT, WordPrompt, ids_up_to, split_of
from mibench.tasks.absorption.settings import HierarchySettings
from mibench.tasks.encode import OffsetEncoder

SOURCE = "kinds"


def hierarchy_prompts(encoder: OffsetEncoder, settings: HierarchySettings, *, bos: bool) -> tuple[WordPrompt, ...]:
    """Return a prompt for each member of each kind and each template, read at the member's last token.

    Args:
        encoder: The model's tokenizer.
        settings: How members are split.
        bos: Whether a prompt begins with BOS.

    Raises:
        DataError: The tokenizer leaves the member out.
    """
    found = []
    for kind, members in KINDS.items():
        for member, split in split_of(members, settings.split_seed, SOURCE).items():
            for template in TEMPLATES:
                text = template.replace(SLOT, member)
                end = template.index(SLOT) + len(member)
                found.append(WordPrompt(member, kind, split, ids_up_to(text, end, encoder, bos=bos)))
    return tuple(found)
