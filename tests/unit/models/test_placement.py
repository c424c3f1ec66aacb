"""Models spread by accelerate where they do not fit: here on the CPU, with small limits in place of small cards."""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mibench.core.errors import UsageError
from mibench.core.processes import machine
from mibench.engine.model import LanguageModel
from mibench.engine.selfcheck import self_check
from mibench.models.cache import cache_root
from mibench.models.load import load_hf
from mibench.models.placement import Spread, is_offloaded, main_device, place_of, spread_of

Tiny = Callable[[str], Path]
FAMILIES = ["tiny_gpt2", "tiny_llama", "tiny_gemma2"]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, Path], None]:
    """Give the CPU room for a share of a model's weights."""

    def give(share: float, folder: Path) -> None:
        size = (folder / "model.safetensors").stat().st_size
        monkeypatch.setattr(Spread, "_limits", lambda _: {"cpu": int(share * size)})

    return give


@pytest.mark.usefixtures("private_cache")
class TestAuto:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_a_model_that_fits_is_not_spread(self, name: str, tiny: Tiny) -> None:
        found = load_hf(str(tiny(name)), device="auto")
        assert found.places is None
        assert not is_offloaded(found.model)
        if torch.cuda.is_available():
            return
        assert {weight.device.type for weight in found.model.parameters()} == {"cpu"}

    @pytest.mark.parametrize("share", [0.2, 0.8])
    @pytest.mark.parametrize("name", FAMILIES)
    def test_what_does_not_fit_stays_on_disk_and_gives_the_same_logits(
        self,
        name: str,
        share: float,
        tiny: Tiny,
        room: Callable[[float, Path], None],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder, ids = tiny(name), torch.arange(8)[None]
        plain = load_hf(str(folder)).model
        room(share, folder)
        found = load_hf(str(folder), device="auto")
        assert "disk" in set((found.places or {}).values())
        assert is_offloaded(found.model)
        assert capfd.readouterr() == ("", "")
        with torch.no_grad():
            torch.testing.assert_close(found.model(ids).logits, plain(ids).logits, rtol=0, atol=0)
        model = LanguageModel(found.model)
        assert model.device == place_of(found.model.get_input_embeddings()) == torch.device("cpu")
        self_check(model)

    def test_what_killed_processes_of_this_machine_left_goes_with_the_next_load(
        self, tiny: Tiny, room: Callable[[float, Path], None]
    ) -> None:
        with subprocess.Popen([sys.executable, "-c", ""]) as ended:
            ended.wait()
        folder, home = tiny("tiny_llama"), cache_root() / "offload"
        names = {
            f"{machine()}-{ended.pid}-a": False,
            f"{machine()}-{os.getpid()}-b": True,
            f"00000000-{ended.pid}": True,
        }
        for name in names:
            (home / name).mkdir(parents=True)
        room(0.3, folder)
        load_hf(str(folder), device="auto")
        assert {name: (home / name).exists() for name in names} == names

    def test_each_load_has_a_folder_of_its_own_which_goes_with_the_model(
        self, tiny: Tiny, room: Callable[[float, Path], None]
    ) -> None:
        folder, home = tiny("tiny_llama"), cache_root() / "offload"
        room(0.3, folder)
        found = [load_hf(str(folder), device="auto") for _ in range(2)]
        assert len(list(home.iterdir())) == 2
        del found
        gc.collect()
        assert not list(home.iterdir())

    def test_weights_on_disk_are_cast(self, tiny: Tiny, room: Callable[[float, Path], None]) -> None:
        folder = tiny("tiny_llama")
        room(0.3, folder)
        model = LanguageModel(load_hf(str(folder), device="auto", dtype="bfloat16").model)
        assert (model.dtype, model.folded[2].weight.dtype) == (torch.bfloat16, torch.float32)
        self_check(model)


class TestSpreadOf:
    @pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
    def test_one_device_is_no_spread(self, device: str) -> None:
        assert spread_of(device) is None

    def test_several_are_named_in_order(self) -> None:
        assert spread_of("cuda:0, cuda:1") == Spread(("cuda:0", "cuda:1"))
        assert spread_of("auto") == Spread()

    @pytest.mark.parametrize("device", ["cuda:0,cpu", "cuda:0,cuda:0", "cuda:0,", "cuda,cuda:1", "auto,cuda:0"])
    def test_what_cannot_be_used_together_is_refused(self, device: str) -> None:
        with pytest.raises(UsageError, match="cannot be used together"):
            spread_of(device)

    def test_without_accelerate_the_way_out_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        with pytest.raises(UsageError) as caught:
            spread_of("auto")
        assert "pip install" in caught.value.do

    def test_limits_leave_room_on_the_chosen_devices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        free = {0: 1000, 1: 2000, 2: 500, "cpu": 7}
        monkeypatch.setattr("accelerate.utils.get_max_memory", lambda: dict(free))
        assert Spread(("cuda:2", "cuda:1")).arguments(Path("x"))["max_memory"] == {1: 1200, 2: 300, "cpu": 7}
        assert Spread().arguments(Path("x"))["max_memory"] == {0: 600, 1: 1200, 2: 300, "cpu": 7}


@pytest.mark.parametrize(
    ("device", "expected"), [("cpu", "cpu"), ("cuda:1", "cuda:1"), ("cuda:2,cuda:1", "cuda:1"), ("auto", None)]
)
def test_the_main_device_is_where_inputs_go(device: str, expected: str | None) -> None:
    accelerator = torch.cuda.is_available()
    assert main_device(device) == (expected or (main_device("auto") if accelerator else "cpu"))
