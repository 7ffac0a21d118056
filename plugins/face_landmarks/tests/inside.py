"""Run by the interpreter of face_landmarks' own environment: ``python inside.py FOLDER WEIGHTS CLIP``.

The contract, batches and taking up, with a stand-in for face_analysis that gives boxes it was told; and MediaPipe as
its own documentation uses it, on the whole picture. Prints what it found as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator.testing.relay import check_state
from videoannotator_face_landmarks import videoannotator_pipelines
from videoannotator_face_landmarks.geometry import pose_of
from videoannotator_face_landmarks.landmarker import snake
from videoannotator_face_landmarks.rows import BLENDSHAPES

BOX = (330.0, 40.0, 560.0, 330.0)  # of the face in face_expressions.mp4, by eye


class Boxes(va.Pipeline[None]):
    """A face in the same place in every picture; what is beside it in a picture too small for it is cut off."""

    def begin(self) -> None:
        self.track = 7 + round(1000 * self.context.span.start)  # no track goes on in another span

    def process(self, batch: va.FrameBatch) -> va.Table[va.Face]:
        size = np.tile([batch.source_width, batch.source_height], 2)
        box = np.minimum(BOX, size)
        columns = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        return va.Table.of(va.Face, frame=batch.frame, time=batch.time, score=0.5, track=self.track, **columns)


def catalog(batch: int = 8) -> Any:
    faces = va.PipelineSpec(
        name="face_analysis",
        version="1",
        needs=(va.Frames(rate=5.0),),
        gives={"faces": "videoannotator.data.rows:Face"},
        pipeline="inside:Boxes",
        licence="MIT",
    )
    (spec,) = videoannotator_pipelines()
    return catalog_of(faces, attrs.evolve(spec, batch=batch))


def whole_picture(weights: str, clip: str) -> dict[int, Any]:
    """The one face in every looked at picture, found by MediaPipe without any of our code."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=weights),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    found = {}
    decoded = DecodePass(va.probe(clip), [va.Frames(rate=5.0)])
    with vision.FaceLandmarker.create_from_options(options) as landmarker, decoded as decoding:
        for picture in decoding:
            pixels = np.ascontiguousarray(picture.pixels(0))
            result = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=pixels))
            (face,) = result.face_landmarks
            height, width = pixels.shape[:2]
            found[picture.frame] = (
                np.array([(p.x * width, p.y * height, p.z * width) for p in face]),
                pose_of(result.facial_transformation_matrixes[0]),
                {snake(c.category_name): c.score for c in result.face_blendshapes[0]},
            )
    return found


def main(folder: str, weights: str, clip: str) -> None:
    config = {"face_landmarks": {"weights": weights}}
    check_pipeline("face_landmarks", Path(folder), config=config["face_landmarks"], catalog_=catalog())
    results = []
    for batch in (1, 16):
        with va.Annotator(["face_landmarks"], config=config, catalog=catalog(batch), cache=False) as annotator:
            result = annotator.annotate(clip, progress=False)
            assert result.ok, result.failures
            results.append(result["face_landmarks"])
            if batch == 1:
                check_state(annotator.plan(clip), "face_landmarks", result, "on a real face")
    one, other = results
    assert one.landmarks == other.landmarks, "batches of 1 and 16 give other landmarks"
    assert one.blendshapes == other.blendshapes, "batches of 1 and 16 give other blendshapes"
    reference = whole_picture(weights, clip)
    assert list(reference) == one.landmarks.frame.tolist()
    points, turns, coefficients = [], [], []
    for row, shapes in zip(one.landmarks, one.blendshapes, strict=True):
        theirs, pose, named = reference[row.frame]
        points.append(float(np.abs(row.points - theirs)[:, :2].mean()))
        turns.append(float(np.abs(np.subtract((row.yaw, row.pitch, row.roll), pose)).max()))
        coefficients.append(float(np.mean([abs(getattr(shapes, name) - named[name]) for name in BLENDSHAPES])))
    print(json.dumps({"rows": len(points), "points": points, "turns": turns, "coefficients": coefficients}))


if __name__ == "__main__":
    main(*sys.argv[1:])
