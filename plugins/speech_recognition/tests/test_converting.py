"""Conversion to CTranslate2: the same numbers as torch, the same tokens as openai-whisper, nothing half done."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import attrs
import ctranslate2
import faster_whisper
import numpy as np
import pytest
import tokenizers
import torch
import whisper
from faster_whisper.tokenizer import Tokenizer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

from videoannotator.errors import DataError, ModelError
from videoannotator_speech_recognition import tokens
from videoannotator_speech_recognition.converting import converted, is_converted
from videoannotator_speech_recognition.reading import Dimensions, read

MULTILINGUAL, ENGLISH, THIRD = 51865, 51864, 51866
KINDS = {  # mels, state, heads, layers of the encoder, of the decoder, tokens
    "multilingual": (80, 16, 2, 1, 2, MULTILINGUAL),
    "english": (80, 24, 3, 2, 1, ENGLISH),
    "large-v3": (128, 16, 4, 2, 3, THIRD),
}


def random_whisper(mels: int, state: int, heads: int, encoder: int, decoder: int, vocabulary: int) -> Whisper:
    """Every number random, so that a tensor in the wrong place shows."""
    torch.manual_seed(state + vocabulary)
    made = Whisper(ModelDimensions(mels, 1500, state, heads, encoder, vocabulary, 448, state, heads, decoder))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.4)
    return made.eval()


def saved(model: Whisper, path: Path) -> Path:
    torch.save({"dims": attrs_of(model.dims), "model_state_dict": model.state_dict()}, path)
    return path


def attrs_of(dims: ModelDimensions) -> dict[str, int]:
    return dict(vars(dims))


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Whisper, Path]:
    """A random Whisper, and what it was converted to."""
    folder = tmp_path_factory.mktemp(request.param)
    model = random_whisper(*KINDS[request.param])
    return model, converted(saved(model, folder / "random.pt"), folder / "converted")


def check_same(model: Whisper, folder: Path) -> None:
    """Encoder and decoder give what torch gives."""
    other = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=1)
    assert other.is_multilingual == model.is_multilingual
    assert other.n_mels == model.dims.n_mels
    sound = np.random.default_rng(1).normal(size=(2, model.dims.n_mels, 3000)).astype(np.float32)
    text = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    begun = [*text.sot_sequence_including_notimestamps]
    said = text.encode(" And so, my fellow Americans")
    with torch.no_grad():
        features = model.encoder(torch.from_numpy(sound))
        logits = model.logits(torch.tensor([begun + said] * 2), features)
    view = ctranslate2.StorageView.from_array(sound)
    assert np.asarray(other.encode(view, to_cpu=True)) == pytest.approx(features.numpy(), abs=2e-4)
    # what CTranslate2 says of the words' probabilities is the softmax of its logits
    found = other.align(view, begun[:-1], [said] * 2, 3000)  # which adds the token of no timestamps itself
    scores = logits[:, len(begun) - 1 : -1, : text.eot].softmax(dim=-1)
    for one, wanted in zip(found, scores, strict=True):
        expected = wanted[torch.arange(len(said)), said].numpy()
        assert np.array(one.text_token_probs) == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_numbers_are_torchs(pair: tuple[Whisper, Path]) -> None:
    check_same(*pair)


def test_what_is_written_is_openais(pair: tuple[Whisper, Path]) -> None:
    model, folder = pair
    config = json.loads((folder / "config.json").read_text())
    text = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    special = (text.sot, text.translate, text.transcribe, text.sot_lm, text.sot_prev, text.no_speech)
    assert config["suppress_ids"] == sorted({*text.non_speech_tokens, *special})
    assert config["suppress_ids_begin"] == [*text.encode(" "), text.eot]
    assert config["lang_ids"] == sorted(text.all_language_tokens)
    assert config["alignment_heads"] == sorted(model.alignment_heads.indices().T.tolist())
    names = json.loads((folder / "vocabulary.json").read_text())
    assert len(names) == model.dims.n_vocab
    assert all(names[number] == name for name, number in text.special_tokens.items())


def test_faster_whisper_loads_it(pair: tuple[Whisper, Path]) -> None:
    model, folder = pair
    loaded = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=1)
    assert loaded.feat_kwargs["feature_size"] == model.dims.n_mels
    wrapped = Tokenizer(loaded.hf_tokenizer, model.is_multilingual, task="transcribe", language="en")
    text = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    assert wrapped.sot_sequence == list(text.sot_sequence)
    assert (wrapped.eot, wrapped.no_speech, wrapped.timestamp_begin) == (text.eot, text.no_speech, text.timestamp_begin)
    assert wrapped.non_speech_tokens == text.non_speech_tokens


def test_int8_is_smaller_and_near(tmp_path: Path) -> None:
    model = random_whisper(*KINDS["multilingual"])
    file = saved(model, tmp_path / "random.pt")
    whole, small = (converted(file, tmp_path / kind, quantization=kind) for kind in ("float32", "int8"))
    assert (small / "model.bin").stat().st_size < 0.4 * (whole / "model.bin").stat().st_size
    ctranslate2.models.Whisper(str(small), device="cpu", compute_type="int8", intra_threads=1)


def test_half_precision_stored_as_it_is(tmp_path: Path) -> None:
    model = random_whisper(*KINDS["multilingual"]).half()
    file = saved(model, tmp_path / "half.pt")
    check_same(model.float(), converted(file, tmp_path / "half", quantization="float16"))


# what is whole, and what is not


@pytest.mark.parametrize("kind", ["dims", "text", "pickle", "lacks", "besides", "shape"])
def test_what_is_no_whisper_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.pt"
    model = random_whisper(*KINDS["multilingual"])
    state: dict[str, Any] = dict(model.state_dict())
    if kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "pickle":
        torch.save({"dims": attrs_of(model.dims), "model_state_dict": state, "run": os.system}, path)
    elif kind == "dims":
        torch.save(state, path)
    else:
        if kind == "lacks":
            del state["decoder.ln.bias"]
        elif kind == "besides":
            state["adapter.weight"] = torch.zeros(2)
        else:
            state["decoder.ln.bias"] = torch.zeros(3)
        torch.save({"dims": attrs_of(model.dims), "model_state_dict": state}, path)
    expected = {
        "text": "no checkpoint that torch",
        "pickle": "more than tensors",
        "dims": "no dims",
        "lacks": "lacks decoder.ln.bias",
        "besides": "adapter.weight besides",
        "shape": r"decoder.ln.bias is \(3,\)",
    }
    with pytest.raises(ModelError, match=expected[kind]):
        converted(path, tmp_path / "out")
    assert sorted(left.name for left in tmp_path.iterdir() if not left.name.endswith(".lock")) == ["wrong.pt"]


def test_wrong_words_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="int3"):
        converted(tmp_path / "x.pt", tmp_path / "out", quantization="int3")
    with pytest.raises(ModelError, match="does not exist"):
        converted(tmp_path / "x.pt", tmp_path / "out")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    file = saved(random_whisper(*KINDS["multilingual"]), tmp_path / "random.pt")
    with pytest.raises(ModelError, match="remove it"):
        converted(file, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def _killed(file: str, folder: str) -> None:
    from ctranslate2.specs.model_spec import ModelSpec

    def half(self: Any, path: str) -> None:
        Path(path).write_bytes(b"half")
        os._exit(9)  # as a kill: nothing is cleaned up

    ModelSpec._serialize = half
    converted(Path(file), Path(folder))


def test_a_killed_conversion_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    model = random_whisper(*KINDS["multilingual"])
    file = saved(model, tmp_path / "random.pt")
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(str(file), str(tmp_path / "out")))
    process.start()
    process.join(120)
    assert process.exitcode == 9
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out.*.part"))
    assert is_converted(converted(file, tmp_path / "out"))
    assert not list(tmp_path.glob(".out.*.part"))


def test_what_is_whole_is_not_made_again(tmp_path: Path) -> None:
    file = saved(random_whisper(*KINDS["multilingual"]), tmp_path / "random.pt")
    folder = converted(file, tmp_path / "out")
    before = (folder / "model.bin").stat().st_mtime_ns
    file.unlink()
    assert converted(file, folder) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == before


def test_openais_own_files_have_their_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with the hash in an address of openai-whisper's has the heads that it names, not the last half."""
    import hashlib

    made = Whisper(ModelDimensions(80, 1500, 12, 6, 1, MULTILINGUAL, 448, 12, 6, 4))  # as many heads as tiny
    file = saved(made, tmp_path / "tiny.pt")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(whisper._MODELS, "tiny", f"https://example.org/{digest}/tiny.pt")
    made.set_alignment_heads(whisper._ALIGNMENT_HEADS["tiny"])
    config = json.loads((converted(file, tmp_path / "out") / "config.json").read_text())
    assert sorted(config["alignment_heads"]) == sorted(made.alignment_heads.indices().T.tolist())


# tokens

TEXTS = st.text(max_size=60) | st.text(
    alphabet=st.sampled_from("كتابשלום漢字かな한글ไทยहिन्दी👩‍👩‍👧‍👦🇩🇪é 've12 \n\t"), max_size=40
)
_BUILT = {size: tokens.from_ranks(size) for size in (MULTILINGUAL, ENGLISH)}


@given(TEXTS, st.sampled_from([MULTILINGUAL, ENGLISH]))
@settings(max_examples=300, deadline=None)
@example("And so, my fellow Americans, ask not what your country can do for you.", ENGLISH)
@example("  two  spaces\n\nand lines \u00a0 ", MULTILINGUAL)
@example("שלום עולם، مرحبا 日本語のテキスト 🤷🏽‍♀️", MULTILINGUAL)
def test_ids_are_openais_and_come_back(text: str, size: int) -> None:
    theirs = get_tokenizer(size == MULTILINGUAL)
    ids = _BUILT[size].encode(text, add_special_tokens=False).ids
    if "<|" not in text:
        assert ids == theirs.encode(text)
        assert _BUILT[size].decode(ids) == text


def test_every_token_is_itself(tmp_path: Path) -> None:
    """Each of OpenAI's tokens that is text by itself, read from the written file."""
    _BUILT[MULTILINGUAL].save(str(tmp_path / "tokenizer.json"))
    read_back = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    theirs = get_tokenizer(True)
    for number in range(0, theirs.eot - 1, 7):
        text = theirs.decode([number])
        if "\ufffd" not in text:
            assert read_back.encode(text, add_special_tokens=False).ids == theirs.encode(text)
            assert read_back.decode([number]) == text


def test_a_number_of_tokens_that_no_whisper_has() -> None:
    with pytest.raises(ModelError, match="no Whisper of OpenAI's has 40000 tokens"):
        tokens.from_ranks(40000)


# Hugging Face folders


def hub_folder(folder: Path, *, dtype: torch.dtype, pickled: bool = False, tokenizer: str = "whole") -> Any:
    """A random Whisper as transformers saves it, and its tokenizer."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(3)
    config = WhisperConfig(
        vocab_size=THIRD,
        num_mel_bins=128,
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
    )
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    model = model.to(dtype)
    told = {"alignment_heads": [[1, 0], [1, 3]], "suppress_tokens": [1, 2], "begin_suppress_tokens": [220, 50257]}
    for name, value in told.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    made = tokens.from_ranks(THIRD)
    made.save(str(folder / "tokenizer.json"))
    if tokenizer == "parts":
        told = json.loads((folder / "tokenizer.json").read_text())
        (folder / "vocab.json").write_text(json.dumps(told["model"]["vocab"]))
        lines = [" ".join(pair) for pair in told["model"]["merges"]]
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines))
        added = {one["content"]: one["id"] for one in told["added_tokens"] if one["id"] < THIRD - 1501}
        (folder / "added_tokens.json").write_text(json.dumps(added))
        (folder / "tokenizer.json").unlink()
    return model


@pytest.mark.parametrize(
    ("dtype", "pickled", "tokenizer"),
    [(torch.float32, False, "whole"), (torch.bfloat16, False, "parts"), (torch.float16, True, "whole")],
)
def test_hub_folder(dtype: torch.dtype, pickled: bool, tokenizer: str, tmp_path: Path) -> None:
    theirs = hub_folder(tmp_path / "hub", dtype=dtype, pickled=pickled, tokenizer=tokenizer).float()
    folder = converted(tmp_path / "hub", tmp_path / "out")
    other = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=1)
    sound = np.random.default_rng(1).normal(size=(1, 128, 3000)).astype(np.float32)
    begun, said = [50258, 50259, 50360, 50364], [400, 370, 11, 452]
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(sound), decoder_input_ids=torch.tensor([begun + said]))
    view = ctranslate2.StorageView.from_array(sound)
    encoded = wanted.encoder_last_hidden_state.numpy()
    assert np.asarray(other.encode(view, to_cpu=True)) == pytest.approx(encoded, abs=2e-4)
    scores = wanted.logits[0, 3:-1, :50257].softmax(dim=-1)[torch.arange(4), said].numpy()
    assert np.array(other.align(view, begun[:-1], [said], 3000)[0].text_token_probs) == pytest.approx(scores, rel=1e-3)
    config = json.loads((folder / "config.json").read_text())
    assert config["alignment_heads"] == [[1, 0], [1, 3]]
    assert config["suppress_ids"] == [1, 2]
    assert json.loads((folder / "preprocessor_config.json").read_text())["feature_size"] == 128
    assert json.loads((folder / "vocabulary.json").read_text())[-1] == "<|30.00|>"
    assert faster_whisper.WhisperModel(str(folder), device="cpu").hf_tokenizer.encode(" And so").ids == [400, 370]


def test_hub_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no config"):
        converted(tmp_path, tmp_path / "out")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="'bert'"):
        converted(tmp_path, tmp_path / "out")
    hub_folder(tmp_path / "hub", dtype=torch.float32)
    (tmp_path / "hub" / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(ModelError, match="damaged"):
        converted(tmp_path / "hub", tmp_path / "out")
    (tmp_path / "hub" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        converted(tmp_path / "hub", tmp_path / "out")


def test_every_size_of_openais_has_its_tensors(tmp_path: Path) -> None:
    """The names and shapes that are expected are those of openai-whisper's network."""
    for kind in KINDS.values():
        model = random_whisper(*kind)
        shapes = Dimensions(**attrs_of(model.dims)).shapes()
        assert shapes == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        found = read(saved(model, tmp_path / "random.pt"))
        assert attrs.asdict(found.dims) == attrs_of(model.dims)
