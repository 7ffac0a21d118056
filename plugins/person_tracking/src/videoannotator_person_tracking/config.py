"""The settings of ``person_tracking``. Importing this module imports no model library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Range, Unit
from videoannotator.errors import ConfigError

__all__ = ["PersonTrackingConfig"]

Fraction01 = Annotated[float, Range(ge=0, le=1)]


@attrs.frozen(kw_only=True)
class PersonTrackingConfig:
    """Names and defaults are those of ultralytics' ``track`` mode and of its ``bytetrack.yaml`` and ``botsort.yaml``.

    With the defaults the rows are those of ``YOLO(weights).track(source, tracker="bytetrack.yaml", classes=[0])``.
    ``rate``, ``lost_after`` and ``interpolate`` are ours: they are in time, not in frames.
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
    masks: bool = attrs.field(
        default=False, metadata={"help": "give the mask of each person, as run lengths; needs weights for 'segment'"}
    )
    tracker: Literal["bytetrack", "botsort", "cbiou", "none"] = attrs.field(
        default="bytetrack",
        metadata={
            "help": "'bytetrack' and 'botsort' as ultralytics has them; 'cbiou' matches boxes with room around them, "
            "which loses fewer people who move fast or cross; 'none' gives plain detections, without track ids"
        },
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
    buffer_ratio_first: Annotated[float, Range(ge=0)] = attrs.field(
        default=0.3,
        metadata={
            "help": "cbiou: room around boxes, as a share of their width and height, when they are first matched"
        },
    )
    buffer_ratio_second: Annotated[float, Range(ge=0)] = attrs.field(
        default=0.5, metadata={"help": "cbiou: the same for what was not matched then, and for weak detections"}
    )
    camera_motion: bool | None = attrs.field(
        default=None,
        metadata={
            "help": "take the camera's own motion out before matching (sparse optical flow), for botsort and cbiou; "
            "unset: with botsort, as in ultralytics. Without it a camera that stands still is tracked better"
        },
    )
    reid: str | None = attrs.field(
        default=None,
        metadata={
            "help": "also match by what persons look like, with botsort and cbiou: path to the weights of a "
            "re-identification network, such as OSNet (.onnx); unset: boxes alone"
        },
    )
    proximity_thresh: Fraction01 = attrs.field(
        default=0.5, metadata={"help": "reid: least IoU at which looks count (cbiou: of the boxes with room)"}
    )
    appearance_thresh: Fraction01 = attrs.field(
        default=0.8, metadata={"help": "reid: least likeness, (1 + cosine) / 2, at which looks count"}
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
    interpolate: Annotated[float, Range(gt=0), Unit("s")] | None = attrs.field(
        default=None,
        metadata={
            "help": "longest gap in a track that is filled with rows in between, on a straight line, marked "
            "'interpolated', without a score; unset: none"
        },
    )
    trust_weights: bool = attrs.field(
        default=False,
        metadata={
            "help": "unpickle .pt weights without torch's allow-list of classes: runs whatever code the file holds. "
            "Only for files of your own that are refused otherwise"
        },
    )

    def __attrs_post_init__(self) -> None:
        """Raises `ConfigError` for settings that would not act."""
        if self.tracker not in ("botsort", "cbiou"):
            for name in ("camera_motion", "reid"):
                if getattr(self, name):
                    raise ConfigError(
                        f"person_tracking.{name} acts with tracker 'botsort' or 'cbiou', not with {self.tracker!r}"
                    )
        if self.tracker == "none" and self.interpolate is not None:
            raise ConfigError("person_tracking.interpolate needs tracks, and tracker is 'none'")

    def models(self) -> tuple[str, ...]:
        """The weights, and those that tell persons apart by their looks."""
        return (self.weights,) if self.reid is None else (self.weights, self.reid)

    def needs(self) -> tuple[Frames, ...]:
        """Frames at `rate`, in the size shown, blue first, as ultralytics' preprocessing wants them."""
        return (Frames(rate=self.rate, color="bgr"),)

    @property
    def sees_camera(self) -> bool:
        """True when the camera's own motion is taken out."""
        return self.tracker == "botsort" if self.camera_motion is None else self.camera_motion

    @property
    def least_score(self) -> float:
        """`conf`, or what ultralytics takes when it is unset: 0.1 in ``track``, 0.25 in ``predict``."""
        if self.conf is not None:
            return self.conf
        return 0.25 if self.tracker == "none" else 0.1
