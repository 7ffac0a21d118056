"""What is a folder of heads, a head, an encoder, and what is not."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from plugins.laion_voice.tests.conftest import POSITIONS, WIDTH

from videoannotator.errors import ConfigError, ModelError
from videoannotator_laion_voice.encoder import Encoder, Heard
from videoannotator_laion_voice.heads import Head, HeadFiles
from videoannotator_laion_voice.rows import DIMENSIONS, EMOTIONS


def test_names_are_those_of_the_files(tmp_path: Path, plus: Any, few: Any) -> None:
    assert HeadFiles(plus[0]).names == (*EMOTIONS, *DIMENSIONS)
    named = ["submissive_vs_dominant", "anger"]
    files = HeadFiles(few[0], named)
    assert files.names == ("anger", "submissive_vs_dominant")
    assert files["submissive_vs_dominant"].name == "model_Submissive_vs._Dominant_best.pth"
    with pytest.raises(ModelError, match="lacks 37 of the 40 emotions: affection"):
        HeadFiles(few[0])
    with pytest.raises(ConfigError, match=r"no head 'angr' \(did you mean 'anger'"):
        HeadFiles(few[0], ["angr"])
    with pytest.raises(ConfigError, match="has no head 'valence'; it has"):
        HeadFiles(few[0], ["valence"])
    with pytest.raises(ConfigError, match="names no head"):
        HeadFiles(few[0], [])
    with pytest.raises(ModelError, match="no folder of heads"):
        HeadFiles(few[0] / "model_Awe_best.pth")
    with pytest.raises(ModelError, match="holds no model_NAME_best"):
        HeadFiles(tmp_path)


def test_heads_of_every_kind_are_read(tmp_path: Path, plus: Any, few: Any) -> None:
    heard = Heard(torch.randn(3, POSITIONS * WIDTH), torch.randn(3, 4 * WIDTH))
    for folder, made in (plus, few):
        files = HeadFiles(folder, list(made))
        for name in ("anger", "awe", "submissive_vs_dominant", *(["speech_quality"] if folder == plus[0] else [])):
            head = Head(files[name], positions=POSITIONS, width=WIDTH)
            with torch.no_grad():
                expected = made[name](heard.pooled if name == "speech_quality" else heard.whole)[:, 0]
            torch.testing.assert_close(head(heard), expected, atol=1e-5, rtol=1e-5)
    state = few[1]["awe"].state_dict()
    halves, old = tmp_path / "model_Awe_best.pth", tmp_path / "model_Anger_best.pth"
    torch.save({key: value.half() for key, value in state.items()}, halves)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    with torch.no_grad():
        expected = few[1]["awe"](heard.whole)[:, 0]
    torch.testing.assert_close(Head(halves, positions=POSITIONS, width=WIDTH)(heard), expected, atol=2e-2, rtol=0)
    torch.testing.assert_close(Head(old, positions=POSITIONS, width=WIDTH)(heard), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="and the encoder gives 1500 times 768; another encoder"):
        Head(halves, positions=1500, width=768)


class _Code:
    def __reduce__(self) -> Any:
        return os.mkdir, ("it-was-run",)


def _layers(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name.replace("__", "."): torch.ones(*shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        (_layers(proj__weight=(2, 4 * WIDTH)), "not linear ones with a bias"),
        (_layers(proj__weight=(2, 4 * WIDTH), proj__bias=(2,)), "does not end in one rating"),
        (
            _layers(mlp__2__weight=(2, 4), mlp__2__bias=(2,), mlp__5__weight=(1, 2), mlp__5__bias=(1,)),
            "no layer 'proj'",
        ),
        (_layers(proj__weight=(2, 32), proj__bias=(2,), mlp__2__weight=(1, 3), mlp__2__bias=(1,)), "do not fit"),
        ({"other": torch.ones(3)}, "no layer 'proj'"),
        ([1, 2], "no layer 'proj'"),
        ({"proj.weight": _Code()}, "not unpickled here"),
        (None, "no head, or holds"),
    ],
)
def test_files_that_are_no_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: Any, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model_Anger_best.pth"
    if holds is None:
        file.write_bytes(pickle.dumps({"proj.weight": _Code()}, protocol=2))
    else:
        torch.save(holds, file)
    with pytest.raises(ModelError, match=says):
        Head(file, positions=POSITIONS, width=WIDTH)
    assert not (tmp_path / "it-was-run").exists()


def test_what_is_no_encoder(tmp_path: Path, whisper: Path) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import WhisperModel

    with pytest.raises(ModelError, match="no Whisper checkpoint"):
        Encoder(tmp_path)
    bare = tmp_path / "bare"
    WhisperModel.from_pretrained(whisper).save_pretrained(bare)
    shutil.copy(whisper / "preprocessor_config.json", bare)
    assert "encoder.conv1.weight" in load_file(bare / "model.safetensors")
    sound = [torch.randn(16000).numpy()]
    torch.testing.assert_close(Encoder(bare)(sound).whole, Encoder(whisper)(sound).whole)
    partial = tmp_path / "partial"
    shutil.copytree(whisper, partial)
    kept = {key: value for key, value in load_file(whisper / "model.safetensors").items() if "conv1" not in key}
    save_file(kept, partial / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"it lacks 2 parameters, such as conv1"):
        Encoder(partial)
    other = tmp_path / "other"
    shutil.copytree(whisper, other)
    settings = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps(settings | {"feature_size": 128}))
    with pytest.raises(
        ModelError, match="makes 3000 frames of 128 bands at 16000 Hz, and what is here takes 3000 of 80"
    ):
        Encoder(other)


def test_a_rating_that_is_no_number_is_an_error(tmp_path: Path, assets: Path, whisper: Path, few: Any) -> None:
    import videoannotator as va

    state = few[1]["awe"].state_dict()
    torch.save(state | {"mlp.11.bias": torch.tensor([float("nan")])}, tmp_path / "model_Awe_best.pth")
    config = {"laion_voice": {"weights": str(tmp_path), "encoder": str(whisper), "heads": ("awe",)}}
    with va.Annotator(["laion_voice"], config=config, cache=False) as annotator:
        (failure,) = annotator.annotate(assets / "audio" / "jfk.flac", progress=False).failures
    assert "gives ratings that are no numbers; fetch it again" in failure.message
