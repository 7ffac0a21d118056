"""A small Whisper that can say one sentence: what tests and benchmarks have in place of the real weights.

openai-whisper's own network and multilingual tokenizer, two layers of 64 numbers, fitted to ``audio/jfk.flac`` of the
test material, and saved as OpenAI saves its checkpoints. It says "And so, my fellow Americans, ask not ..." wherever
that is heard, once or twice in a window of 30 seconds, with longer or shorter pauses, louder or softer, with timestamps
and without; and where nothing is heard it gives the token of no speech. It has learnt nothing else, prompts included:
it is used with ``condition_on_previous_text=False``.

Word times come from cross-attention, so the attention of the last decoder layer, which is where openai-whisper and the
converter look for weights of an unknown name, is fitted to `WORDS` as well.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from whisper.audio import log_mel_spectrogram
from whisper.model import ModelDimensions, Whisper, sinusoids
from whisper.tokenizer import get_tokenizer

__all__ = ["SENTENCE", "WORDS", "checkpoint", "fit", "sound"]

Samples = NDArray[np.float32]
Places = tuple[tuple[int, int], ...]
"""Of each token of a sentence: the first step, and the one behind the last."""

RATE = 16000
WHOLE, SHORT = 1500, 800  # steps of a window: Whisper's, and one that is quicker to fit
STEP = 320  # samples of one position of the encoder, and of one timestamp: 20 ms
WORDS = (
    (" And", 0.32, 0.54),
    (" so", 0.54, 1.00),
    (",", 1.00, 1.04),
    (" my", 1.04, 1.24),
    (" fellow", 1.24, 1.62),
    (" Americans", 1.62, 2.20),
    (",", 2.20, 3.34),
    (" ask", 3.34, 3.76),
    (" not", 4.00, 4.34),
    (" what", 5.44, 5.66),
    (" your", 5.66, 5.92),
    (" country", 5.92, 6.46),
    (" can", 6.46, 6.68),
    (" do", 6.68, 6.98),
    (" for", 6.98, 7.14),
    (" you", 7.14, 7.54),
    (",", 7.54, 8.22),
    (" ask", 8.22, 8.58),
    (" what", 8.60, 8.86),
    (" you", 8.88, 9.18),
    (" can", 9.20, 9.40),
    (" do", 9.42, 9.66),
    (" for", 9.68, 9.84),
    (" your", 9.84, 10.04),
    (" country", 10.04, 10.42),
    (".", 10.42, 10.80),
)
"""Each token's text and its seconds in the recording.

Read by hand off the energy in three bands (80 to 700, 700 to 2500, 3500 to 8000 Hz) every 20 ms: bursts, hissing and
stressed vowels show where words begin; first and last words of a phrase end where Silero's voice activity does. A
punctuation mark is where the pause is: a word then ends where its sound does.
"""
SENTENCE = "".join(text for text, _, _ in WORDS).strip()
DIMS = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=64,
    n_audio_head=2,
    n_audio_layer=1,
    n_vocab=51865,
    n_text_ctx=448,
    n_text_state=64,
    n_text_head=2,
    n_text_layer=2,
)
PAUSES = ((2.26, 3.30), (3.78, 3.98), (4.40, 5.36), (7.62, 8.12))  # seconds of the recording that may be left out
LENGTH = 10.98
_FIRST = 50  # the first timestamp of a window is at most 1 s, says max_initial_timestamp


def sound(assets: Path) -> Samples:
    """The recording: 16 kHz, mono, as the decoder gives it."""
    resampler, parts = av.AudioResampler("flt", "mono", RATE), []
    with av.open(str(assets / "audio" / "jfk.flac")) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return np.concatenate(parts)


@attrs.frozen(eq=False)
class Said:
    """A sentence as it is heard: its samples, and each token's places in them."""

    samples: Samples
    places: Places


@attrs.frozen(eq=False)
class Window:
    """What is heard and what is to be written: tokens, and for each the steps to look at when it is written."""

    mel: torch.Tensor  # (80, twice the steps)
    prompt: list[int]
    tokens: list[int]
    looks: list[tuple[int, int]]  # (0, 0): wherever


@attrs.define(eq=False)
class Material:
    """Makes windows."""

    recording: Samples
    tokenizer: Any
    random: np.random.Generator

    def window(self, steps: int) -> Window:
        """One of so many steps; in a whole one the sentence is mostly said twice, in a short one once, or never."""
        copies = int(self.random.choice([0, 1, 2], p=[0.1, 0.1, 0.8] if steps == WHOLE else [0.15, 0.85, 0]))
        timed = self.random.random() < 0.5
        parts: list[Samples] = []
        sentences: list[Places] = []
        at, cut = 0, None
        for number in range(copies + 1):
            said = self.said()
            many = len(said.samples) // STEP
            room = steps - at - many
            if number < copies and room >= 0:
                most = 60 if number == 0 or self.random.random() < 0.5 else 450
                rest = int(self.random.integers(0, 1 + min(room, most)))
                parts += [self.rest(rest), said.samples[: many * STEP]]
                sentences.append(tuple((at + rest + a, at + rest + b) for a, b in said.places))
                at += rest + many
            elif number and room < 0 and self.random.random() < 0.6:  # one more begins, and the window ends in it
                rest = int(self.random.integers(0, -room))
                parts += [self.rest(rest), said.samples]
                cut = at + rest + said.places[0][0]
                cut = cut if cut < steps else None
        heard = np.concatenate(parts or self.nothing(steps))[: steps * STEP]
        heard = heard * np.float32(10 ** self.random.uniform(-1.2, 0.2))
        ends = [later[0][0] for later in sentences[1:]] + [cut or len(heard) // STEP]
        sentences = [_joined(places, end) for places, end in zip(sentences, ends, strict=False)]
        tokens, looks = self.written(sentences, timed=timed, cut=cut)
        prompt = [self.tokenizer.sot, self.tokenizer.language_token, self.tokenizer.transcribe]
        if not timed:
            prompt.append(self.tokenizer.no_timestamps)
        return Window(self.mel(heard, steps), prompt, tokens, looks)

    def nothing(self, steps: int) -> list[Samples]:
        """A window in which nobody speaks; perhaps with what is left of the recording behind the last word."""
        rest = self.rest(int(self.random.integers(1, steps)))
        if self.random.random() < 0.5:
            return [rest]
        left = self.recording[round(self.random.uniform(10.46, 10.8) * RATE) :]
        return [left, rest] if self.random.random() < 0.5 else [left]

    def written(
        self, sentences: list[Places], *, timed: bool, cut: int | None
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """What Whisper writes of it."""
        begin, text = self.tokenizer.timestamp_begin, [self.tokenizer.encode(word)[0] for word, _, _ in WORDS]
        tokens: list[int] = []
        looks: list[tuple[int, int]] = []
        for number, steps in enumerate(sentences):
            start, end = steps[0][0], steps[-1][0]
            if timed:
                tokens.append(begin + (min(start, _FIRST) if number == 0 else start))
                looks.append((start, start + 2))
            tokens += text
            looks += steps
            if timed:
                tokens.append(begin + end)
                looks.append((end, end + 2))
        if timed and not sentences:
            tokens.append(begin)
            looks.append((0, 0))
        if timed and cut is not None:
            tokens.append(begin + cut)
            looks.append((cut, cut + 2))
        return [*tokens, self.tokenizer.eot], [*looks, (0, 0)]

    def said(self) -> Said:
        """The sentence, perhaps with some of its pauses cut short."""
        keep = np.ones(len(self.recording), dtype=bool)
        head = int(self.random.integers(0, 14)) if self.random.random() < 0.5 else 0
        keep[: head * STEP] = False
        keep[round(self.random.uniform(10.7, LENGTH) * RATE) :] = False
        if self.random.random() < 0.5:
            for start, end in PAUSES:
                whole = round((end - start) * RATE / STEP)
                gone = int(self.random.integers(0, whole + 1))
                first = round(start * RATE) + int(self.random.integers(0, whole - gone + 1)) * STEP
                keep[first : first + gone * STEP] = False
        before = np.concatenate([[0], np.cumsum(keep)])
        places = [[int(before[round(t * RATE)]) // STEP for t in times] for _, *times in WORDS]
        return Said(self.recording[keep], tuple((a, max(b, a + 2)) for a, b in places))

    def rest(self, steps: int) -> Samples:
        """Nothing said for so long: digital silence, the hall, or noise."""
        kind = self.random.random()
        if kind < 0.5 or steps == 0:
            return np.zeros(steps * STEP, dtype=np.float32)
        if kind < 0.8:
            hall = self.recording[round(2.5 * RATE) : round(3.1 * RATE)]
            return np.resize(np.concatenate([hall, hall[::-1]]), steps * STEP)
        noise = self.random.standard_normal(steps * STEP) * 10 ** self.random.uniform(-5, -2.5)
        return noise.astype(np.float32)

    def mel(self, heard: Samples, steps: int) -> torch.Tensor:
        """As the engines make it: what the window lacks is silence, or zeros of the spectrogram."""
        if self.random.random() < 0.3:
            return log_mel_spectrogram(heard, padding=steps * STEP - len(heard))[:, : 2 * steps]
        mel = log_mel_spectrogram(np.pad(heard, (0, max(0, 400 - len(heard)))))[:, : len(heard) // 160]
        return functional.pad(mel, (0, 2 * steps - mel.shape[1]))


def _joined(places: Places, end: int) -> Places:
    """Each token lasts until the next begins, the last until ``end``: something is looked at in every step."""
    starts = [start for start, _ in places]
    return tuple((a, max(b, a + 2)) for a, b in zip(starts, [*starts[1:], end], strict=True))


class Vocabulary:
    """The tokens that are used, as rows of a small table; all the others share its first row.

    A timestamp's row is a linear map of the encoder's position at that time, so that all are learnt from a few.
    """

    def __init__(self, tokenizer: Any) -> None:
        text = {tokenizer.encode(word)[0] for word, _, _ in WORDS}
        special = {
            tokenizer.sot,
            tokenizer.sot_prev,
            tokenizer.language_token,
            tokenizer.transcribe,
            tokenizer.no_speech,
        }
        self.used = sorted({*text, *special, tokenizer.no_timestamps, tokenizer.eot})
        self.sot, self.language, self.no_speech = tokenizer.sot, tokenizer.language_token, tokenizer.no_speech
        self.begin, width = tokenizer.timestamp_begin, DIMS.n_text_state
        self.others = DIMS.n_vocab - len(self.used) - 1501
        self.rows = torch.nn.Parameter(torch.randn(1 + len(self.used), width) * 0.3)
        self.map = torch.nn.Parameter(torch.eye(width) * 0.3)
        self.times = sinusoids(1501, width)
        self.places = {token: number + 1 for number, token in enumerate(self.used)}

    def place(self, token: int) -> int:
        """A token's row of `table`."""
        return 1 + len(self.used) + token - self.begin if token >= self.begin else self.places.get(token, 0)

    def table(self) -> torch.Tensor:
        """(1 + used + 1501, width)."""
        return torch.cat([self.rows, self.times @ self.map])

    def whole(self) -> torch.Tensor:
        """(51865, width): what the checkpoint holds."""
        table = self.table().detach()
        return table[torch.tensor([self.place(token) for token in range(DIMS.n_vocab)])]


def _heard(model: Whisper, mel: torch.Tensor) -> torch.Tensor:
    """The encoder's `forward`, which takes whole windows only, for short ones too."""
    encoder = model.encoder
    x = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    x = x + encoder.positional_embedding[: x.shape[1]]
    for block in encoder.blocks:
        x = block(x)
    return encoder.ln_post(x)


def _losses(model: Whisper, vocabulary: Vocabulary, windows: list[Window]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of what is written, and of where it is looked."""
    features = _heard(model, torch.stack([window.mel for window in windows]))
    length = features.shape[1]
    whole = [window.prompt + window.tokens for window in windows]
    longest = max(map(len, whole)) - 1
    inputs = torch.zeros(len(whole), longest, dtype=torch.long)
    wanted = torch.full((len(whole), longest), -100)
    looks = torch.zeros(len(whole), longest, length)
    for n, (window, tokens) in enumerate(zip(windows, whole, strict=True)):
        places = torch.tensor([vocabulary.place(token) for token in tokens])
        inputs[n, : len(places) - 1] = places[:-1]
        first = len(window.prompt) - 1
        wanted[n, first : len(places) - 1] = places[first + 1 :]
        sot = window.prompt.index(vocabulary.sot)
        wanted[n, sot] = vocabulary.place(
            vocabulary.language if any(b for _, b in window.looks) else vocabulary.no_speech
        )
        # what is not a word's looks behind what is said: it takes part in how openai-whisper weighs attention up
        last = max((b for _, b in window.looks), default=0)
        looks[n, sot : len(places) - 1, min(last, length - 50) :] = 1
        for k, (a, b) in enumerate(window.looks):
            if b:
                looks[n, first + k] = 0
                looks[n, first + k, a:b] = 1
    table = vocabulary.table()
    x = table[inputs] + model.decoder.positional_embedding[:longest]
    for block in model.decoder.blocks:
        x = x + block.attn(block.attn_ln(x), mask=model.decoder.mask)[0]
        attention, y = block.cross_attn, block.cross_attn_ln(x)
        q, k, v = attention.query(y), attention.key(features), attention.value(features)
        q, k, v = (z.unflatten(2, (attention.n_head, -1)).transpose(1, 2) for z in (q, k, v))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        x = x + attention.out((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.mlp_ln(x))
    logits = model.decoder.ln(x) @ table.T
    others = torch.zeros(table.shape[0])
    others[0] = math.log(vocabulary.others)
    logs = (logits + others).log_softmax(dim=-1)
    written = functional.nll_loss(logs.flatten(0, 1), wanted.flatten(), ignore_index=-100)
    wide = looks.sum(-1).clamp(min=1)
    apart = -((scores.log_softmax(dim=-1) * looks[:, None]).sum(-1) / wide[:, None]) - wide.log()[:, None]
    there = (looks.sum(-1) > 0)[:, None].expand_as(apart)
    return written, apart[there].mean()


def fit(
    recording: Samples,
    *,
    steps: int = 260,
    size: int = 2,
    seed: int = 1,
    say: Callable[[int, float, float], None] | None = None,
) -> Whisper:
    """Fit one. ``say`` is told of each step, its loss of the text and its loss of the attention."""
    torch.manual_seed(seed)
    tokenizer = get_tokenizer(True, language="en", task="transcribe")
    material = Material(recording, tokenizer, np.random.default_rng(seed))
    model, vocabulary = Whisper(DIMS), Vocabulary(tokenizer)
    with torch.no_grad():
        model.decoder.positional_embedding.copy_(sinusoids(DIMS.n_text_ctx, DIMS.n_text_state) * 0.3)
    parameters = [p for name, p in model.named_parameters() if name != "decoder.token_embedding.weight"]
    parameters += [vocabulary.rows, vocabulary.map]
    optimizer = torch.optim.AdamW(parameters, lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        length = WHOLE if step % 2 else SHORT
        written, looked = _losses(model, vocabulary, [material.window(length) for _ in range(size)])
        optimizer.zero_grad()
        (written + 0.5 * looked).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if say:
            say(step, written.item(), looked.item())
    with torch.no_grad():
        model.decoder.token_embedding.weight.copy_(vocabulary.whole())
    return model.eval()


def checkpoint(assets: Path, folder: Path) -> Path:
    """The fitted Whisper as OpenAI's ``.pt``; fitted when ``folder`` has none of this script and this torch yet."""
    told = hashlib.sha256(Path(__file__).read_bytes() + (assets / "audio" / "jfk.flac").read_bytes())
    told.update(torch.__version__.encode())
    path = folder / f"whisper_jfk_{told.hexdigest()[:12]}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same numbers on every machine of a kind
        try:
            model = fit(sound(assets))
        finally:
            torch.set_num_threads(threads)
        working = path.with_suffix(f".{os.getpid()}.part")
        torch.save({"dims": vars(model.dims), "model_state_dict": model.state_dict()}, working)
        working.replace(path)
    return path


if __name__ == "__main__":  # python fitting.py ASSETS FOLDER
    print(checkpoint(Path(sys.argv[1]), Path(sys.argv[2])))
