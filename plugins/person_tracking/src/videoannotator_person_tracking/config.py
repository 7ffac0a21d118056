"""The settings of ``person_tracking``. Importing this module imports no model library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Range, Unit

__all__ = ["PersonTrackingConfig"]

Fraction01 = Annotated[float, Range(ge=0, le=1)]


@attrs.frozen(kw_only=True)
class PersonTrackingConfig:
    """Names and defaults are those of ultralytics' ``track`` mode and of its ``bytetrack.yaml``.

    With the defaults the rows are those of ``YOLO(weights).track(source, tracker="bytetrack.yaml", classes=[0])``.
    ``rate`` and ``lost_after`` are ours: both are in time, not in frames.
    """

    backend: Literal["ultralytics"] = attrs.field(default="ultralytics", metadata={"help": "which distribution runs"})
    weights: str = attrs.field(
        default="yolo11n-pose.pt",
        metadata={"help": "a declared model name, or a path to .pt, .onnx, an OpenVINO folder, .engine, ..."},
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=None, metadata={"help": "frames looked at per second; unset: every frame of the file"}
    )
    classes: tuple[str, ...] | None = attrs.field(
        default=("person",), metadata={"help": "names of the model's classes to keep; unset (null): all of them"}
    )
    conf: Fraction01 | None = attrs.field(
        default=None,
        metadata={"help": "least score of a detection; unset: 0.1 with a tracker (it uses weak ones), 0.25 without"},
    )
    iou: Fraction01 = attrs.field(
        default=0.7, metadata={"help": "of two boxes that overlap by more than this the weaker one is dropped (NMS)"}
    )
    agnostic_nms: bool = attrs.field(
        default=False, metadata={"help": "let boxes of different classes suppress each other, too"}
    )
    max_det: Annotated[int, Range(ge=1)] = attrs.field(
        default=300, metadata={"help": "most detections kept in one frame"}
    )
    imgsz: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=None,
        metadata={
            "help": "longer side of the picture the network sees, a multiple of its stride; unset: the size the "
            "weights were exported or trained for. Weights of a fixed size refuse another"
        },
    )
    tracker: Literal["bytetrack", "none"] = attrs.field(
        default="bytetrack", metadata={"help": "'none' gives plain detections, without track ids"}
    )
    track_high_thresh: Fraction01 = attrs.field(
        default=0.25, metadata={"help": "detections from this score on are matched to tracks first"}
    )
    track_low_thresh: Fraction01 = attrs.field(
        default=0.1, metadata={"help": "weaker ones, above this score, are matched to what is left of the tracks"}
    )
    new_track_thresh: Fraction01 = attrs.field(
        default=0.25, metadata={"help": "least score of a detection that opens a new track"}
    )
    match_thresh: Fraction01 = attrs.field(
        default=0.8, metadata={"help": "largest cost (1 - IoU, fused with the score) at which track and box match"}
    )
    fuse_score: bool = attrs.field(
        default=True, metadata={"help": "weigh the IoU with the detection's score when matching"}
    )
    lost_after: Annotated[float, Range(gt=0), Unit("s")] | None = attrs.field(
        default=None,
        metadata={
            "help": "how long a person may be out of sight and keep the id; unset: ultralytics' track_buffer, the "
            "time of 30 frames at the file's own rate, also when 'rate' is lower"
        },
    )
    untracked: bool = attrs.field(
        default=True,
        metadata={
            "help": "in frames where nothing is tracked, give the (weak) detections without a track id, as "
            "ultralytics does; false: only tracked rows"
        },
    )
    trust_weights: bool = attrs.field(
        default=False,
        metadata={
            "help": "unpickle .pt weights without torch's allow-list of classes: runs whatever code the file holds. "
            "Only for files of your own that are refused otherwise"
        },
    )

    def needs(self) -> tuple[Frames, ...]:
        """Frames at `rate`, in the size shown, blue first, as ultralytics' preprocessing wants them."""
        return (Frames(rate=self.rate, color="bgr"),)

    @property
    def least_score(self) -> float:
        """`conf`, or what ultralytics takes when it is unset: 0.1 in ``track``, 0.25 in ``predict``."""
        if self.conf is not None:
            return self.conf
        return 0.25 if self.tracker == "none" else 0.1
