"""Whisper's tokens as faster-whisper reads them: ``tokenizer.json``, built from the ranks that openai-whisper brings.

A ``.tiktoken`` file has every token's bytes and rank, the merges of byte pair encoding only between the lines: the one
that makes a token is the last of those that lower ranks make of its bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from videoannotator.errors import MissingDependencyError, ModelError

__all__ = ["from_folder", "from_ranks", "names"]

_MULTILINGUAL = 51865  # from so many tokens on a model is multilingual, and each more is a language: openai-whisper
_TIMESTAMPS = 1501  # <|0.00|> to <|30.00|>


def from_ranks(vocabulary: int) -> Any:
    """The `tokenizers.Tokenizer` of OpenAI's models with so many tokens.

    Raises:
        MissingDependencyError: openai-whisper, whose files hold the ranks, is not installed.
        ModelError: no model of OpenAI's has so many tokens.
    """
    multilingual = vocabulary >= _MULTILINGUAL
    # openai-whisper's Whisper.num_languages
    languages, codes = vocabulary - 51765 - multilingual, _languages()
    if not 99 <= languages <= len(codes):
        raise ModelError(f"no Whisper of OpenAI's has {vocabulary} tokens; convert its Hugging Face folder instead")
    ranks = _ranks("multilingual" if multilingual else "gpt2")
    specials = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in codes[:languages])]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    specials += ["<|notimestamps|>", *(f"<|{n * 0.02:.2f}|>" for n in range(_TIMESTAMPS))]
    letters = _letters()
    vocab = {"".join(letters[byte] for byte in token): rank for token, rank in ranks.items()}
    merges = [tuple("".join(letters[byte] for byte in part) for part in pair) for pair in _merges(ranks)]
    return _tokenizer(vocab, merges, specials)


def from_folder(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of a Hugging Face folder: ``tokenizer.json``, or ``vocab.json`` and ``merges.txt``.

    Raises:
        ModelError: it has neither, or they cannot be read.
    """
    import tokenizers

    whole, vocab = folder / "tokenizer.json", folder / "vocab.json"
    try:
        if whole.is_file():
            return tokenizers.Tokenizer.from_file(str(whole))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
        merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        added = folder / "added_tokens.json"
        more: dict[str, int] = json.loads(added.read_text(encoding="utf-8")) if added.is_file() else {}
        return _tokenizer(json.loads(vocab.read_text(encoding="utf-8")), merges, sorted(more, key=more.__getitem__))
    except Exception as error:  # the package tokenizers raises just that for a file it cannot read
        raise ModelError(
            f"{folder} has no tokenizer that can be read ({error}); fetch it again, with tokenizer.json, "
            "or with vocab.json, merges.txt and added_tokens.json"
        ) from error


def names(tokenizer: Any, count: int) -> list[str]:
    """Every token's name in order of the ids; what a tokenizer lacks at the end are timestamps, as in older folders.

    Raises:
        ModelError: the tokenizer has more tokens than ``count``.
    """
    known: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    found = sorted(known, key=known.__getitem__)
    if len(found) > count or known[found[-1]] != len(found) - 1:
        raise ModelError(f"the tokenizer has {len(found)} tokens, up to number {known[found[-1]]}, the model {count}")
    return found + [f"<|{n * 0.02:.2f}|>" for n in range(count - len(found))]


def _tokenizer(vocab: dict[str, int], merges: Sequence[tuple[str, ...]], specials: Iterable[str]) -> Any:
    """Byte-level BPE, as GPT-2 has it."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    # a piece that is a token whole is that token, whatever merging would make of it: so does tiktoken
    made = tokenizers.Tokenizer(models.BPE(vocab, list(merges), fuse_unk=False, ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([tokenizers.AddedToken(name, normalized=False, special=True) for name in specials])
    return made


def _letters() -> list[str]:
    """The letter that stands for each byte in GPT-2's files: itself if it can be seen, else one from 256 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in seen else chr(next(hidden)) for byte in range(256)]


def _merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The two parts of every token that has parts, from the lowest rank on."""
    found = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[n : n + 1] for n in range(len(token))]
        while len(parts) > 2:
            pairs = [(ranks.get(a + b, rank), n) for n, (a, b) in enumerate(pairwise(parts))]
            lowest, at = min(pairs)
            if lowest >= rank:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            found.append((parts[0], parts[1]))
    return found


def _ranks(name: str) -> dict[bytes, int]:
    """What openai-whisper's ``assets/NAME.tiktoken`` says; the package itself, which imports torch, is left alone."""
    package = find_spec("whisper")
    if package is None or not package.submodule_search_locations:
        raise MissingDependencyError(
            "OpenAI's checkpoints come without their tokens, which openai-whisper brings: "
            "pip install 'videoannotator-speech-recognition[openai]'"
        )
    file = Path(package.submodule_search_locations[0]) / "assets" / f"{name}.tiktoken"
    lines = (line.split() for line in file.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def _languages() -> list[str]:
    """Codes of Whisper's languages, in the order of their tokens."""
    try:
        from whisper.tokenizer import LANGUAGES
    except ImportError as error:
        raise MissingDependencyError(
            f"OpenAI's checkpoints are read with openai-whisper, and {error.name or error} could not be imported: "
            "pip install 'videoannotator-speech-recognition[openai]'"
        ) from error
    return list(LANGUAGES)
