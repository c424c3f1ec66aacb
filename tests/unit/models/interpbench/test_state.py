"""A state dict is read as tensors of known names and shapes, or not at all."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lens_models import lens_fields, lens_weights, plain

from mibench.core.errors import ModelError, UsageError
from mibench.models.interpbench import state as state_module
from mibench.models.interpbench.config import LensConfig, lens_config
from mibench.models.interpbench.state import read_weights, weight_shapes

State = dict[str, Any]
FIELDS = lens_fields(n_layers=1, d_vocab=11, d_vocab_out=11, d_mlp=8, n_ctx=6)
CONFIG = lens_config(plain(FIELDS))


def saved(path: Path, change: Callable[[State], object] = lambda _: None) -> Path:
    state: State = dict(lens_weights(FIELDS))
    change(state)
    torch.save(state, path)
    return path


def refuse(path: Path, config: LensConfig = CONFIG) -> str:
    with pytest.raises(ModelError, match="cannot be used") as caught:
        read_weights(path, config)
    return caught.value.why


@pytest.mark.parametrize("norm", ["LN", "LNPre"])
def test_the_weights_come_back_without_the_buffers(norm: str, tmp_path: Path) -> None:
    fields = FIELDS | {"normalization_type": norm}
    config, state = lens_config(plain(fields)), lens_weights(fields)
    torch.save(state, tmp_path / "m.pth")
    found = read_weights(tmp_path / "m.pth", config)
    assert found.keys() == weight_shapes(config).keys() == {name for name in state if not name.endswith(("mask", "RE"))}
    assert all(np.array_equal(found[name], state[name].numpy()) for name in found)
    assert ("ln_final.w" in found) == (norm == "LN")


def test_the_state_dict_of_a_module_is_read_with_its_metadata(tmp_path: Path) -> None:
    module = torch.nn.ParameterDict({"p": torch.nn.Parameter(torch.ones(1))})
    state = module.state_dict()
    state.clear()
    state.update(lens_weights(FIELDS))
    torch.save(state, tmp_path / "m.pth")
    assert hasattr(state, "_metadata")
    assert read_weights(tmp_path / "m.pth", CONFIG).keys() == weight_shapes(CONFIG).keys()


def test_buffers_may_be_missing_and_the_mask_may_be_finite(tmp_path: Path) -> None:
    def change(state: State) -> None:
        del state["blocks.0.attn.mask"]
        state["blocks.0.attn.IGNORE"] = torch.tensor(-1e5)

    assert read_weights(saved(tmp_path / "m.pth", change), CONFIG)


def put(name: str, tensor: Any) -> Callable[[State], object]:
    return lambda state: state.update({name: tensor})


EVERY = torch.ones((6, 6), dtype=torch.bool)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.pop("unembed.b_U"), "unembed.b_U is missing (1 such)"),
        (put("blocks.1.attn.W_Q", torch.ones(1)), "blocks.1.attn.W_Q is not one of its tensors"),
        (put("blocks.0.ln1.w", torch.ones(64)), "blocks.0.ln1.w is not one of its tensors"),
        (put("embed.W_E", torch.ones(11, 63)), "embed.W_E has the shape (11, 63)"),
        (put("embed.W_E", torch.ones(1).expand(2**40, 64)), "embed.W_E has the shape"),
        (put("embed.W_E", torch.full((11, 64), torch.nan)), "NaN"),
        (put("unembed.b_U", torch.full((11,), torch.inf)), "infinite"),
        (put("embed.W_E", torch.ones(11, 64, dtype=torch.float64)), "float64"),
        (put("embed.W_E", torch.ones(11, 64, dtype=torch.bfloat16)), "bfloat16"),
        (put("embed.W_E", torch.ones(11, 64).to_sparse()), "dense tensors"),
        (put("embed.W_E", torch.ones(11, 64, device="meta")), "dense tensors"),
        (put("embed.W_E", [1.0, 2.0]), "dense tensors"),
        (put(3, torch.ones(1)), "dense tensors"),
        (put("blocks.0.attn.mask", EVERY), "causal mask"),
        (put("blocks.0.attn.mask", EVERY.tril(-1)), "causal mask"),
        (put("blocks.0.attn.mask", EVERY[:5, :5].tril()), "causal mask"),
        (put("blocks.0.attn.mask", EVERY.float().tril()), "causal mask"),
        (put("blocks.0.attn.IGNORE", torch.tensor(0.0)), "causal mask"),
        (put("blocks.0.attn.IGNORE", torch.tensor(torch.nan)), "causal mask"),
        (put("blocks.0.attn.IGNORE", torch.full((2,), -torch.inf)), "causal mask"),
        (put("blocks.0.attn.IGNORE", torch.tensor(1j)), "causal mask"),
    ],
)  # fmt: skip
def test_what_is_not_the_model_is_refused(change: Callable[[State], object], why: str, tmp_path: Path) -> None:
    assert why in refuse(saved(tmp_path / "m.pth", change))


class Harmful:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_state_dict_never_runs(zipped: bool, tmp_path: Path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "m.pth"
    torch.save({"embed.W_E": Harmful(mark)}, path, _use_new_zipfile_serialization=zipped)
    refuse(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()


def rewritten(path: Path, **options: Any) -> Path:
    """The same archive, its entries written anew."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_compressed_entries_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = rewritten(saved(tmp_path / "m.pth"), compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refuse(path)


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.pth")
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = max(archive.infolist(), key=lambda info: info.file_size)
    size = entry.file_size.to_bytes(4, "little")
    path.write_bytes(content.replace(size * 2, (2**31).to_bytes(4, "little") * 2))
    assert "overlap" in refuse(path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\x80\x02}.", b"nothing" * 100])
def test_what_torch_did_not_save_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.pth").write_bytes(content)
    assert refuse(tmp_path / "m.pth")


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.pth")
    path.write_bytes(path.read_bytes()[:-500])
    assert refuse(path)


def test_a_tensor_instead_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.ones(3), tmp_path / "m.pth")
    assert "no dict" in refuse(tmp_path / "m.pth")


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MAX_BYTES", 100)
    monkeypatch.setattr(torch, "load", pytest.fail)
    assert "the limit is 100" in refuse(saved(tmp_path / "m.pth"))


def test_a_file_that_is_not_there_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_weights(tmp_path / "m.pth", CONFIG)
