"""The ratings, against transformers' own model and the heads as the model card builds them."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plugins.laion_voice.tests import talking

import videoannotator as va
from videoannotator import AudioTrack
from videoannotator.data.result import PipelineResult
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.discover.catalog import catalog
from videoannotator.discover.pipeline import Context
from videoannotator.run.loaded import LoadedModels
from videoannotator.run.resources import ResourceManager
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_laion_voice import videoannotator_pipelines
from videoannotator_laion_voice.config import LaionVoiceConfig
from videoannotator_laion_voice.encoder import Encoder
from videoannotator_laion_voice.heads import Head
from videoannotator_laion_voice.pipeline import LaionVoice
from videoannotator_laion_voice.rows import DIMENSIONS, EMOTIONS

CATALOG = catalog_of(*videoannotator_pipelines(), talking.SPEC)
(SPEC,) = videoannotator_pipelines()


@pytest.fixture(scope="module")
def talk(assets: Path) -> Path:
    return assets / "audio" / "sample_two_speakers.wav"


@pytest.fixture(scope="module")
def sound(talk: Path) -> AudioTrack:
    with DecodePass(probe(talk), [], [va.Audio()]) as decoding:
        list(decoding)
        return decoding.tracks[va.Audio()]


def run(path: Path, names: tuple[str, ...] = ("laion_voice",), **config: Any) -> va.Result:
    settings = {"laion_voice": config, "speaker_diarization": {"rttm": str(path.with_suffix(".rttm"))}}
    with va.Annotator(
        names, config={n: settings[n] for n in names}, catalog=CATALOG, cache=False, download=False
    ) as made:
        return made.annotate(path, progress=False)


def alone(
    path: Path, sound: AudioTrack, config: LaionVoiceConfig, outputs: Mapping[str, PipelineResult] = {}, **lease: Any
) -> LaionVoice:
    """The pipeline without the engine, before its `finish`."""
    media = probe(path)
    context = Context(media=media, span=media.span, models=SPEC.models, audio=sound, outputs=outputs, **lease)
    pipeline = LaionVoice(config, context)
    pipeline.setup()
    pipeline.begin()
    return pipeline


def whole(pieces: Iterator[dict[str, va.Table[Any]]]) -> dict[str, va.Table[Any]]:
    found: dict[str, list[va.Table[Any]]] = {}
    for piece in pieces:
        for name, table in piece.items():
            found.setdefault(name, []).append(table)
    return {name: va.Table.concat(tables) for name, tables in found.items()}


def as_published(whisper: Path, samples: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """What the encoder gives for a piece of sound, flattened for the heads, and pooled, as the cards' code does it."""
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    inputs = WhisperFeatureExtractor.from_pretrained(whisper)(
        samples, sampling_rate=16000, return_tensors="pt", padding="max_length", truncation=True
    )
    with torch.no_grad():
        heard = model.get_encoder()(inputs.input_features, return_dict=True).last_hidden_state
    pooled = [heard.mean(dim=1), heard.min(dim=1).values, heard.max(dim=1).values, heard.std(dim=1)]
    return torch.nn.Flatten()(heard), torch.cat(pooled, dim=1)


def test_turns_are_rated_as_the_published_code_rates_them(
    talk: Path, sound: AudioTrack, whisper: Path, plus: Any
) -> None:
    folder, heads = plus
    names = ("speaker_diarization", "laion_voice")
    result = run(talk, names, weights=str(folder), encoder=str(whisper), embeddings=True)
    assert result.ok, result.failures
    turns, rated = result["speaker_diarization"].turns, result["laion_voice"]
    long = [turn for turn in turns if turn.end - turn.start >= 1]
    short = [turn for turn in turns if turn.end - turn.start < 1]
    assert [(r.start, r.end, r.speaker) for r in rated.emotions] == [(t.start, t.end, t.speaker) for t in long]
    assert [(r.start, r.end, r.speaker) for r in rated.left_out] == [(t.start, t.end, t.speaker) for t in short]
    assert {row.reason for row in rated.left_out} == {"short"}
    assert len(long) > 3
    assert len({turn.speaker for turn in long}) == 2
    record = result.provenance.pipelines[-1]
    assert "segments are the turns of speaker_diarization" in record.notices
    for number in (0, len(long) - 1):
        turn = long[number]
        given, pooled = as_published(whisper, sound.samples[round(turn.start * 16000) : round(turn.end * 16000)])
        np.testing.assert_allclose(rated.embeddings[number].vector, pooled[0], atol=2e-5)
        with torch.no_grad():
            for name, head in heads.items():
                table = rated.emotions if name in EMOTIONS else rated.dimensions
                takes = pooled if head.proj.in_features == pooled.shape[1] else given
                assert getattr(table[number], name) == pytest.approx(float(head(takes)), abs=1e-4), name
    for name in ("anger", "teasing"):
        assert np.ptp(rated.emotions.column(name)) > 0.01, "it must hear what is said"


def test_no_more_heads_in_memory_than_the_lease_has_room_for(
    talk: Path, whisper: Path, plus: Any, few: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: weakref.WeakSet[Head] = weakref.WeakSet()
    most, made = 0, list[Path]()
    real = Head.__init__

    def counted(self: Head, file: Path, **given: Any) -> None:
        nonlocal most
        real(self, file, **given)
        there.add(self)
        made.append(file)
        most = max(most, len(there))

    monkeypatch.setattr(Head, "__init__", counted)
    resources = ResourceManager(models=LoadedModels())
    config = {"laion_voice": {"weights": str(plus[0]), "encoder": str(whisper), "block": 4}}
    with va.Annotator(["laion_voice"], config=config, catalog=CATALOG, cache=False, resources=resources) as annotator:
        first = annotator.annotate(talk, progress=False)
        assert first.ok, first.failures
        assert len(first["laion_voice"].emotions) == 6, "two blocks"
        assert most == 8 == SPEC.batch
        gc.collect()
        assert len(there) == 7, "those that stay"
        assert len(made) == 7 + 2 * 52, "the others are read once for each block"
        again = annotator.annotate(talk, progress=False)
        assert len(made) == 7 + 4 * 52
        assert again["laion_voice"].emotions == first["laion_voice"].emotions
    gc.collect()
    assert not there, "nobody is left who has used them"
    made.clear()
    config = {"laion_voice": {"weights": str(few[0]), "encoder": str(whisper), "heads": ("awe", "anger"), "block": 4}}
    with va.Annotator(["laion_voice"], config=config, catalog=CATALOG, cache=False, resources=resources) as annotator:
        annotator.annotate(talk, progress=False)
        annotator.annotate(talk, progress=False)
    assert [file.name for file in made] == ["model_Anger_best.pth", "model_Awe_best.pth"], "what fits is read once"


def test_ratings_depend_neither_on_threads_nor_on_company(
    talk: Path, sound: AudioTrack, whisper: Path, plus: Any
) -> None:
    def rated(segment_duration: float = 6.0, block: int = 256, **lease: int) -> dict[str, va.Table[Any]]:
        heads = ("awe", "arousal", "overall_quality")
        config = LaionVoiceConfig(
            weights=str(plus[0]),
            encoder=str(whisper),
            heads=heads,
            block=block,
            embeddings=True,
            segment_duration=segment_duration,
        )
        pipeline = alone(talk, sound, config, **lease)
        try:
            return whole(pipeline.finish())
        finally:
            pipeline.close()

    once = rated(threads=1)
    assert len(once["emotions"]) == 5
    assert rated(threads=3) == once
    assert rated(block=1, threads=2, batch=1) == once
    assert rated(segment_duration=30.0)["emotions"].awe[0] != once["emotions"].awe[0]


def test_on_a_card_all_go_through_together_and_are_rated_the_same(whisper: Path, few: Any, sound: AudioTrack) -> None:
    """What is done there, done on the processor."""
    from videoannotator.discover.workers import TorchWorkers

    encoder = Encoder(whisper)
    pieces = [sound.samples[n * 16000 : (n + 2) * 16000] for n in range(5)]
    workers = TorchWorkers("test", 2)
    told: list[float] = []
    together, apart = encoder(pieces, most=3, tell=told.append), encoder(pieces, alone=workers)
    assert told == [0.6, 1.0]
    torch.testing.assert_close(together.whole, apart.whole, atol=2e-5, rtol=1e-4)
    for name in ("Anger", "Jealousy_&_Envy"):
        head = Head(few[0] / f"model_{name}_best.pth", positions=encoder.positions, width=encoder.width)
        torch.testing.assert_close(head(together), head(apart, alone=workers), atol=1e-4, rtol=1e-4)
    workers.close()


def test_goes_on_behind_the_last_block(
    talk: Path, sound: AudioTrack, whisper: Path, few: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LaionVoiceConfig(
        weights=str(few[0]), encoder=str(whisper), heads=("awe",), block=2, min_segment_duration=2.0,
        segment_duration=4.0, segment_overlap=1.0,
    )  # fmt: skip
    expected = whole((first := alone(talk, sound, config)).finish())
    first.close()
    assert len(expected["emotions"]) == 10
    heard: list[int] = []
    real = Encoder.__call__

    def counted(self: Encoder, pieces: Any, **given: Any) -> Any:
        heard.append(len(pieces))
        return real(self, pieces, **given)

    monkeypatch.setattr(Encoder, "__call__", counted)
    begun = alone(talk, sound, config)
    pieces = begun.finish()
    before = [next(pieces), next(pieces)]
    state = begun.state()
    next(pieces)
    begun.close()
    after = alone(talk, sound, config)
    after.restore(state)
    assert whole(iter([*before, *after.finish()])) == expected
    assert heard == [2, 2, 2, 2, 2, 2], "what was rated is not heard again"
    after.close()


def test_some_heads_only_and_the_defaults_without_a_network(
    tmp_path: Path, talk: Path, whisper: Path, plus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what somebody has fetched with the hub's own command: two files of the heads' repository."""
    wanted = ("model_Valence_best.pth", "model_Jealousy_&_Envy_best.pth")
    for repository, files in (
        ("laion--BUD-E-Whisper", list(whisper.iterdir())),
        ("laion--Empathic-Insight-Voice-Small", [plus[0] / name for name in wanted]),
    ):
        store = tmp_path / "hub" / f"models--{repository}"
        (store / "snapshots" / "0123abcd").mkdir(parents=True)
        for file in files:
            shutil.copy(file, store / "snapshots" / "0123abcd")
        (store / "refs").mkdir()
        (store / "refs" / "main").write_text("0123abcd")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run(talk, heads=("valence", "jealousy_envy"))
    assert result.ok, result.failures
    rated = result["laion_voice"]
    assert len(rated.emotions) == len(rated.dimensions) == 6
    assert rated.emotions[0].jealousy_envy is not None
    assert rated.emotions[0].anger is None
    assert rated.dimensions[0].valence is not None
    assert rated.dimensions[0].overall_quality is None
    assert len(rated.embeddings) == 0
    models = {model.name: model for model in result.provenance.pipelines[-1].models}
    assert models["empathic-insight-voice-small"].licence == "CC-BY-4.0"
    assert models["bud-e-whisper"].source == "hub:laion/BUD-E-Whisper@main"
    only = run(talk, heads=("valence",))["laion_voice"]
    assert (len(only.emotions), len(only.dimensions)) == (0, 6)
    assert only.dimensions.valence.tolist() == rated.dimensions.valence.tolist()
    (failure,) = run(talk).failures
    assert "lacks 39 of the 40 emotions: affection" in failure.message


def test_rows_can_be_written_and_read(tmp_path: Path, talk: Path, whisper: Path, few: Any) -> None:
    config = {"weights": str(few[0]), "encoder": str(whisper), "heads": ("anger", "arousal"), "embeddings": True}
    result = run(talk, ("speaker_diarization", "laion_voice"), **config)
    assert all(len(result["laion_voice"].tables[name]) for name in SPEC.gives)
    result.export(tmp_path, formats=["native", "csv"])
    assert va.read(tmp_path / "sample_two_speakers.videoannotator") == result
    assert va.read(tmp_path / "sample_two_speakers.datapackage.json").pipelines == result.pipelines


@pytest.mark.slow
def test_contract(tmp_path: Path, quick: dict[str, str]) -> None:
    config = {
        **quick,
        "heads": ("anger", "arousal"),
        "segment_duration": 0.3,
        "min_segment_duration": 0.15,
        "max_segment_duration": 2.0,
        "block": 2,
        "embeddings": True,
    }
    results = check_pipeline("laion_voice", tmp_path, config=config)
    assert len(results["plain"]["laion_voice"].emotions) == 3
    assert len(results["plain"]["laion_voice"].left_out) == 1, "what is left of the last window is short"
    assert len(results["variable"]["laion_voice"].left_out) > 0, "it is silent"


def test_it_is_installed() -> None:
    assert catalog().pipeline("laion_voice").spec == SPEC
    assert set(DIMENSIONS).isdisjoint(EMOTIONS)
    assert (len(EMOTIONS), len(DIMENSIONS)) == (40, 19)
