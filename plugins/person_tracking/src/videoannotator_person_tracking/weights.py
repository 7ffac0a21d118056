"""The weights that are declared: YOLO11 in its five sizes, for the three tasks."""

from __future__ import annotations

import videoannotator as va

__all__ = ["MODELS"]

_RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.3.0"
_LICENCE = "AGPL-3.0-or-later"
_SIZES = {"n": "nano", "s": "small", "m": "medium", "l": "large", "x": "extra large"}
_TASKS = {
    "-pose": "persons with 17 COCO keypoints",
    "": "boxes of the 80 COCO classes, no keypoints",
    "-seg": "boxes and masks of the 80 COCO classes",
}
_FILES: dict[str, tuple[int | None, str | None]] = {
    # bytes and SHA-256; None: nowhere published that could be found
    "n-pose": (6_255_593, "869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0"),
    "s-pose": (20_373_161, "1060bda4a27012060eca246f9b2adeea22eabb045a1e58f8d229be29b7ebc2ba"),
    "m-pose": (42_459_307, "29b17eaf3a3117cbea906090dbedf9159f7c6a49db58ec8b99ed2dfde1cf6eb2"),
    "l-pose": (None, None),
    "x-pose": (118_481_010, "013c43543b0751b8918486ba96e01ee44a59040683a07f96cc22bcc2cb7785f8"),
    "n": (5_613_764, "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"),
    "s": (19_313_732, "85a76fe86dd8afe384648546b56a7a78580c7cb7b404fc595f97969322d502d5"),
    "m": (40_684_120, "d5ffc1a674953a08e11a8d21e022781b1b23a19b730afc309290bd9fb5305b95"),
    "l": (51_387_343, "9ebd0e09d59811db4b1d61e2bc6730649608b1ac47f8dd01e2da6bca7c20023f"),
    "x": (114_636_239, "7bc158aa95c0ebfdd87f70f01653c1131b93e92522dbe15c228bcd742e773a24"),
    "n-seg": (6_182_636, "55ed65c56c91713d23e8402371c6c49a6fd84f257f7dce452e8d70e41dcbe152"),
    "s-seg": (20_669_228, "1caa81c0195412efa411b632bcfb8c184939dddb6ae41f6a80c41b211ff257c3"),
    "m-seg": (45_400_152, "eb9a06f63e2206c35d68d839b08c362429ebecf933ad54c1ad68b2fd001c17cf"),
    "l-seg": (56_096_965, "cabe90049795dfc9a370b7934d6dec7f6b9e44a20e573b0ff81b7e205512c872"),
    "x-seg": (125_090_821, "4e53a5f5fd3ee2ae3361c62169c6bb3ed4ae251dd0e57606e230955aa52d919c"),
}


def _model(kind: str) -> va.ModelSpec:
    size, sha256 = _FILES[kind]
    name = f"yolo11{kind}.pt"
    letter, task = kind[0], kind[1:]
    return va.ModelSpec(
        name=name,
        source=f"{_RELEASE}/{name}",
        licence=_LICENCE,
        sha256=sha256,
        size=size,
        summary=f"YOLO11 {_SIZES[letter]}, {_TASKS[task]}",
    )


MODELS = tuple(_model(kind) for kind in _FILES)
"""The first is the default."""
