"""Settings act, or are refused before anything is loaded; the plan names the right model."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from videoannotator.discover.config import config_of, models_of
from videoannotator.errors import ConfigError
from videoannotator_speech_recognition import config as module
from videoannotator_speech_recognition import videoannotator_pipelines
from videoannotator_speech_recognition.languages import LANGUAGES, bcp47
from videoannotator_speech_recognition.models import ALIASES, declared

(SPEC,) = videoannotator_pipelines()
_OPENAI = {"engine": "openai-whisper"}


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({}, "faster-whisper-base"),
        ({"weights": "turbo"}, "faster-whisper-large-v3-turbo"),
        ({"weights": "large", **_OPENAI}, "openai-whisper-large-v3"),
        ({"weights": "openai-whisper-tiny.en"}, "openai-whisper-tiny.en"),
        ({"weights": "distil-large-v3.5"}, "faster-whisper-distil-large-v3.5"),
        ({"weights": "models/mine.pt"}, "models/mine.pt"),
    ],
)
def test_the_plan_names_the_model_of_the_engine(given: dict[str, Any], model: str) -> None:
    assert models_of(config_of(SPEC, given)) == (model, "silero_vad_6.2")


@pytest.mark.parametrize(
    ("here", "engine"),
    [
        ((), "faster-whisper"),
        (("openai-whisper",), "openai-whisper"),
        (("openai-whisper", "faster-whisper"), "faster-whisper"),
    ],
)
def test_auto_takes_the_faster_engine_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...], engine: str
) -> None:
    monkeypatch.setattr(module, "installed", lambda name: name in here)
    assert config_of(SPEC).chosen == engine
    assert models_of(config_of(SPEC))[0] == f"{engine}-base"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": "smal"}, r"no size of Whisper \(did you mean 'small'\?\)"),
        ({"weights": "openai-whisper-tiny", "engine": "faster-whisper"}, "name the size"),
        ({"weights": "distil-small.en", **_OPENAI}, "not OpenAI's"),
        ({"weights": "tiny.en", "language": "de"}, "know only English; take 'tiny'"),
        ({"weights": "tiny.en", "multilingual": True}, "know only English"),
        ({"weights": "turbo", "task": "translate"}, "not trained to translate"),
        ({"language": "english"}, "none of Whisper's codes"),
        ({"language": "de", "multilingual": True}, "leave language unset"),
        ({"temperature": []}, "temperature names none"),
        ({"temperature": [1.5]}, r"temperature must be in \[0, 1\]"),
        ({"suppress_tokens": [-2]}, "suppress_tokens must be in"),
        ({"beam_size": 1, "patience": 2.0}, "there is none"),
        ({"beam_size": 2, "patience": 0.1}, "leaves no text"),
        ({"vad_speech_pad": 1.0, "chunk_length": 2.0}, "at most a quarter"),
        ({"repetition_penalty": 1.2, **_OPENAI}, "acts in the engine 'faster-whisper' only"),
        ({"no_repeat_ngram_size": 3, **_OPENAI}, "acts in the engine 'faster-whisper' only"),
        ({"length_penalty": 1.5, **_OPENAI}, "at most 1 for openai-whisper"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, given)


def test_addresses_hashes_and_languages_are_the_packages_own() -> None:
    import whisper
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from faster_whisper.utils import _MODELS

    known = {spec.name: spec for spec in declared()}
    for size, repository in _MODELS.items():
        assert known[f"faster-whisper-{ALIASES.get(size, size)}"].source == f"hub:{repository}@main"
    for size, address in whisper._MODELS.items():
        spec = known[f"openai-whisper-{ALIASES.get(size, size)}"]
        assert (spec.source, spec.sha256) == (address, address.split("/")[-2])
    assert len(known) == len({*_MODELS} - {*ALIASES}) + len({*whisper._MODELS} - {*ALIASES}) + 1
    assert tuple(whisper.tokenizer.LANGUAGES) == LANGUAGES
    assert set(_LANGUAGE_CODES) == set(LANGUAGES)
    assert (bcp47("jw"), bcp47("de")) == ("jv", "de")


def test_neither_listing_nor_the_faster_engine_imports_torch() -> None:
    code = (
        "import sys, videoannotator_speech_recognition as p;"
        "p.videoannotator_pipelines();"
        "heavy = {'torch', 'faster_whisper', 'ctranslate2', 'whisper', 'onnxruntime'};"
        "print(sorted(heavy & set(sys.modules)));"
        "import videoannotator_speech_recognition.pipeline, videoannotator_speech_recognition.faster;"
        "print(sorted({'torch', 'whisper', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n[]\n"
