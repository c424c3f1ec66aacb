"""Only weights that are plain floats are loaded: numbers of a quantised model would pass for those of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mibench.core.errors import ModelError
from mibench.models.digest import weight_files

_CONFIG_KEYS = ("quantization_config", "compression_config")
_FLOATS = ("F64", "F32", "F16", "BF16")


def check_plain(folder: Path, config: dict[str, Any]) -> None:
    """Refuse quantised weights (bitsandbytes, GPTQ, AWQ, FP8 and the like) and adapters.

    Raises:
        ModelError: The configuration names a quantisation, a weight is stored as integers or in 8 bits, or the
            folder holds an adapter.
    """
    found = _why(folder, config)
    if found is not None:
        raise ModelError(
            f"The weights in {folder} are not plain floats.",
            why=found,
            do="Dequantise or merge it, and save the result with model.save_pretrained(FOLDER).",
        )


def _why(folder: Path, config: dict[str, Any]) -> str | None:
    for key in _CONFIG_KEYS:
        if key in config:
            named = config[key].get("quant_method") if isinstance(config[key], dict) else None
            return f"Its configuration has {key}: the model is quantised ({named or 'method not named'})."
    if (folder / "adapter_config.json").is_file():
        return "The folder holds an adapter, not a model."
    stored = _stored_otherwise(folder)
    return None if stored is None else f"{stored[0]} is stored as {stored[1]}."


def _stored_otherwise(folder: Path) -> tuple[str, str] | None:
    """The first weight that is stored as something else than a float of at least 16 bits, and as what."""
    from safetensors import SafetensorError, safe_open

    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  it is no mapping
                    dtype = str(file.get_slice(name).get_dtype())
                    # Masks and position numbers of old checkpoints are integers, and are not read.
                    if name.endswith("weight") and dtype not in _FLOATS:
                        return name, dtype
        except (SafetensorError, OSError):  # loading says what is wrong
            return None
    return None
