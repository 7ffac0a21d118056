"""Pictures and films of results, for looking at them, for papers and for talks.

>>> from videoannotator import draw
>>> draw.video(result, "session01_drawn.mp4")  # doctest: +SKIP
>>> draw.contact_sheet(result, "session01.png")  # doctest: +SKIP
>>> draw.frame(result, time=12.5, look=draw.Look(hide="faces"))  # doctest: +SKIP

Needs Pillow: ``pip install "videoannotator[draw]"``. How rows are drawn is decided by their columns, so those of
anybody's pipeline are: boxes (``frame``, ``time``, ``x1``, ``y1``, ``x2``, ``y2``) with what more they have (``track``,
``label``, ``score``, ``keypoints``, ``landmarks``, ``yaw``, ``pitch``, ``roll``), spans of time (``start``, ``end``,
``text``, ``speaker``, ``label``), signals (``time``, ``name``, ``value``), and who is who (``person``, ``track``,
``name``, ``role``).
"""

from __future__ import annotations

from videoannotator.draw.face_sheet import faces
from videoannotator.draw.film import video
from videoannotator.draw.lanes import Block, Lane
from videoannotator.draw.look import PARTS, Look
from videoannotator.draw.sheet import contact_sheet
from videoannotator.draw.stills import frame, tracks

__all__ = ["PARTS", "Block", "Lane", "Look", "contact_sheet", "faces", "frame", "tracks", "video"]
