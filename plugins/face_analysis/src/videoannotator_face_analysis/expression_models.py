"""The networks that ``face_expressions`` can use. Data only."""

from __future__ import annotations

import videoannotator as va

__all__ = ["EXPRESSION_MODELS"]

_SOURCE = "https://raw.githubusercontent.com/sb-ai-lab/EmotiEffLib/{commit}/models/affectnet_emotions/onnx/{name}.onnx"
_COMMIT = "af833487321c3efdcb1768a91a6c656a1986fdf6"
_EARLIER = "520a051c64cd191521e5934655314e769a319684"
_LICENCE = "Apache-2.0 (trained on AffectNet, whose pictures are given for research only)"
_B0, _B2 = "EfficientNet-B0, 224 px", "EfficientNet-B2, 260 px"


def _model(name: str, sha256: str, summary: str, size: int | None = None, commit: str = _COMMIT) -> va.ModelSpec:
    return va.ModelSpec(
        name=name,
        source=_SOURCE.format(commit=commit, name=name),
        licence=_LICENCE,
        sha256=sha256,
        size=size,
        summary=f"{summary}; AffectNet",
    )


EXPRESSION_MODELS = (
    _model(
        "enet_b0_8_va_mtl",
        "c43e056ad388d4a8dc911832b8291435b2af537f967e5870ebd731574ec7e812",
        f"{_B0}: 8 categories, valence, arousal",
        16_049_834,
    ),
    _model(
        "mobilevit_va_mtl",
        "93a2bee1f2e0b04e313c695078e9351c75e8fb4c457af4268a1716cb35601b0c",
        "MobileViT, 224 px: 8 categories, valence, arousal",
        commit=_EARLIER,
    ),
    _model(
        "mbf_va_mtl",
        "0323ace52ea6dbe9aa4a909d20933f7b8629c3fb41249e338f4316abf2a4828c",
        "MobileFaceNet, 112 px: 8 categories, valence, arousal",
        commit=_EARLIER,
    ),
    _model(
        "enet_b0_8_best_vgaf",
        "fa07e841fd06c7a67ee651ea4e6e4a3a2bb5695f47b37a7da50492526f59c898",
        f"{_B0}: 8 categories, chosen on VGAF",
    ),
    _model(
        "enet_b0_8_best_afew",
        "7aa2ea31c1311f4f8aa9d3fdb085d418dd4e7a48c4b9ed41df8c044f91d0213f",
        f"{_B0}: 8 categories, chosen on AFEW",
    ),
    _model(
        "enet_b2_8",
        "180a9d4845b59393de4511598a0d1d34b705034691ea32959ce5009db7cf52b7",
        f"{_B2}: 8 categories",
        30_779_724,
    ),
    _model(
        "enet_b2_7",
        "7863032d8c0c0bc259aa0dd7b8ebf6b607af454e7a0ea82be2b37767914ecd0f",
        f"{_B2}: 7 categories, no contempt",
    ),
)
