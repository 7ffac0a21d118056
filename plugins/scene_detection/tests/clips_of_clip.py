"""Small CLIP networks with random weights, in the files that open_clip writes and reads."""

from __future__ import annotations

import json
from pathlib import Path

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
"""CLIP's architecture, as ViT-B-32's config has it, small."""

PREPARED = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def write_folder(folder: Path) -> Path:
    """A model as open_clip's repositories hold them: open_clip_config.json and open_clip_model.safetensors."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    model = open_clip.CLIP(**TINY)
    with torch.no_grad():
        model.logit_scale.fill_(3.5)  # of e: 33, and not the 14.3 that a fresh one has
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": PREPARED}))
    return folder
