"""The settings of ``person_tracking`` with the backend ``rtmlib``. Importing this module imports no model library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Range, Unit

__all__ = ["PersonTrackingRTMConfig"]

Fraction01 = Annotated[float, Range(ge=0, le=1)]


@attrs.frozen(kw_only=True)
class PersonTrackingRTMConfig:
    """Detector and pose settings are named and set as in rtmlib, those of the tracker as in Roboflow's ``trackers``."""

    backend: Literal["rtmlib"] = attrs.field(default="rtmlib", metadata={"help": "which distribution runs"})
    weights: str = attrs.field(
        default="rtmdet-m-person",
        metadata={"help": "the detector: a declared model name, or the path of an ONNX export of RTMDet or YOLOX"},
    )
    family: Literal["rtmdet", "yolox"] | None = attrs.field(
        default=None,
        metadata={"help": "which preprocessing the detector wants; unset: told by the name of its file or model"},
    )
    detector_size: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=None,
        metadata={
            "help": "side of the square the detector sees; unset: what its file fixes, else what it was "
            "made for, 640 for a path"
        },
    )
    pose: str | None = attrs.field(
        default="rtmpose-m-body7",
        metadata={
            "help": "keypoints: a declared model name, or the path of an ONNX export of RTMPose (SimCC) of a fixed "
            "size; unset (null): boxes and tracks only"
        },
    )
    pose_color: Literal["rgb", "bgr"] = attrs.field(
        default="rgb",
        metadata={"help": "colour order of what RTMPose sees: it was trained on rgb; rtmlib itself hands it bgr"},
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=None, metadata={"help": "frames looked at per second; unset: every frame of the file"}
    )
    conf: Fraction01 | None = attrs.field(
        default=None,
        metadata={"help": "a detection scores more; unset: 0.1 with a tracker (it uses weak ones), 0.3 without"},
    )
    iou: Fraction01 = attrs.field(
        default=0.45,
        metadata={"help": "of two boxes that overlap by more the weaker is dropped; exports with NMS have done it"},
    )
    tracker: Literal["bytetrack", "none"] = attrs.field(
        default="bytetrack", metadata={"help": "'none' gives plain detections, without track ids"}
    )
    track_high_thresh: Fraction01 = attrs.field(
        default=0.6, metadata={"help": "detections from this score on are matched to tracks first, weaker ones after"}
    )
    new_track_thresh: Fraction01 = attrs.field(
        default=0.7, metadata={"help": "least score of a detection that opens a track"}
    )
    match_iou: Fraction01 = attrs.field(default=0.1, metadata={"help": "least IoU at which track and detection match"})
    confirm_after: Annotated[int, Range(ge=1), Unit("frames")] = attrs.field(
        default=2,
        metadata={"help": "frames in a row in which somebody is seen before there is a track; those before have no id"},
    )
    lost_after: Annotated[float, Range(ge=0), Unit("s")] = attrs.field(
        default=1.0, metadata={"help": "how long a person may be out of sight and keep the id"}
    )
    untracked: bool = attrs.field(
        default=True,
        metadata={"help": "also give detections without a track if they could open one (new_track_thresh)"},
    )

    def needs(self) -> tuple[Frames, ...]:
        """Frames at `rate`, in the size shown, blue first."""
        return (Frames(rate=self.rate, color="bgr"),)

    def models(self) -> tuple[str, ...]:
        """The detector, and the pose network if there is one."""
        return (self.weights,) if self.pose is None else (self.weights, self.pose)

    @property
    def least_score(self) -> float:
        """`conf`, or when it is unset ByteTrack's 0.1, and without a tracker rtmlib's 0.3."""
        if self.conf is not None:
            return self.conf
        return 0.3 if self.tracker == "none" else 0.1
