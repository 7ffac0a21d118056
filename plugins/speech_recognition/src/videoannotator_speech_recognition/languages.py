"""The languages Whisper knows, by its own codes, in the order of its vocabulary."""

from __future__ import annotations

__all__ = ["LANGUAGES", "bcp47"]

LANGUAGES: tuple[str, ...] = tuple(
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue".split()
)
"""Codes of ``whisper.tokenizer.LANGUAGES``; ``yue`` is known from large-v3 on only."""


def bcp47(code: str) -> str:
    """The tag of RFC 5646 for a code of Whisper's, which writes Javanese ``jw``."""
    return "jv" if code == "jw" else code
