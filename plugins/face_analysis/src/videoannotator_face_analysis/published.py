"""Numbers that the authors of declared networks publish. Imports nothing."""

from __future__ import annotations

__all__ = ["SAME_FACE"]

SAME_FACE = {"sface": 0.363}
"""Least cosine similarity of two pictures of one face: opencv_zoo, ``models/face_recognition_sface/sface.py``."""
