"""The pipeline ``active_speaker``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, Pipeline, PipelineResult, Table, TimeSpan
from videoannotator.discover.beside import RowsBeside
from videoannotator.errors import ConfigError, PlanError
from videoannotator_active_speaker.config import ActiveSpeakerConfig
from videoannotator_active_speaker.deciding import decide
from videoannotator_active_speaker.evidence import Heard, Seen
from videoannotator_active_speaker.linking import Linked, Recording
from videoannotator_active_speaker.mouths import Mouths
from videoannotator_active_speaker.people import People
from videoannotator_active_speaker.seeing import from_landmarks, from_pixels
from videoannotator_active_speaker.sound import envelope
from videoannotator_active_speaker.telling import frames, speakers, speaking
from videoannotator_active_speaker.tracks import FaceTrack, InPicture, face_tracks
from videoannotator_active_speaker.turns import Turn, pieces_of, turns_of

if TYPE_CHECKING:
    from videoannotator_active_speaker.learned import Learned, Watching

__all__ = ["ActiveSpeaker"]

Chunk = NDArray[np.float64]
"""(N, 5): track, time, and the numbers of `mouths.Mouth`, of N faces."""


class ActiveSpeaker(Pipeline[ActiveSpeakerConfig]):
    """Who is speaking: voices, faces and persons put together, from the whole stretch of film at once, in `finish`.

    While pictures pass, mouths are watched; three numbers are kept for each face and picture. For the method see
    `evidence` (what speaks for a face), `solving` (which voice is whose) and `deciding` (each piece of a turn).
    """

    _tracks: Mapping[int, FaceTrack]
    _mouths: Mouths | None
    _watching: Watching | None
    _chunks: tuple[Chunk, ...]

    def setup(self) -> None:
        """Load the network, if one is set, or take the one that is loaded."""
        self._learned: Learned | None = None
        weights, device, threads = self.config.weights, self.context.device, self.context.threads
        if weights is not None:
            from videoannotator_active_speaker.learned import Learned

            self._learned = self.context.load(
                weights, lambda file: Learned(file.path, device=device, threads=threads), variant=threads
            )

    def begin(self) -> None:
        """Take faces and voices. Raises `ConfigError` where nobody says when somebody speaks."""
        self._turns: list[Turn] = self._heard()
        self._cuts: list[float] = self._shots()
        self._tracks = self._faces()
        self._points = self._landmarks()
        self._mouths = None
        if self._points is None:
            self._mouths = Mouths(self._tracks, smallest=self.config.smallest, turned=self.config.turned)
        self._chunks, self._watching = (), None
        if self._learned is not None:
            from videoannotator_active_speaker.learned import Watching

            self._watching = Watching(self._learned, self._tracks)

    def state(self) -> Any:
        """What was measured, 40 bytes for each face and picture, and the last picture of each face; see `Watching`."""
        parts = self._mouths, self._watching
        return self._chunks, *(None if part is None else part.state() for part in parts)

    def restore(self, state: Any) -> None:
        """Go on from there."""
        self._chunks, mouths, watching = state
        if self._mouths is not None:
            self._mouths.restore(mouths)
        if self._watching is not None:
            self._watching.restore(watching)

    def process(self, batch: FrameBatch) -> None:
        """Watch the mouths in these pictures."""
        if self._watching is not None:
            for picture, time in zip(batch.pixels, batch.time.tolist(), strict=True):
                self._watching.look(picture, time, batch.scale)
        if self._mouths is None:
            return
        rows = [
            (track, mouth.time, mouth.mouth, mouth.rest, mouth.opening)
            for picture, time in zip(batch.pixels, batch.time.tolist(), strict=True)
            for track, mouth in self._mouths.look(picture, time, batch.scale).items()
        ]
        if rows:
            self._chunks = (*self._chunks, np.array(rows, dtype=np.float64))

    def finish(self) -> dict[str, Table[Any]]:
        """Who speaks."""
        config = self.config
        seen = dict(self._measured())
        if self._watching is not None:
            nothing = np.empty(0)
            for track, said in self._watching.finish(self.context.audio).items():
                seen[track] = attrs.evolve(seen.get(track, Seen(nothing, nothing, ())), network=said)
        people = People.of(self.context.output("person_identity"), self.context.output("face_analysis"), self._tracks)
        pieces = pieces_of(
            self._turns, InPicture(self._tracks), cuts=self._cuts, pictures=self._pictures(), window=config.window
        )
        heard = Heard(envelope(self.context.audio), config.lag)
        rate = self._rows("face_analysis").coverage.rate
        step = 0.0 if rate is None else 1 / rate + 1e-6
        recording = Recording(self._turns, pieces, self._tracks, people.units, seen, heard, step)
        linked = Linked.of(recording, on_screen=config.on_screen, split=config.split)
        self.context.progress(0.5)
        decided = decide(recording, linked, on_screen=config.on_screen, sure=config.sure)
        told: dict[str, Table[Any]] = {
            "speaking": speaking(decided, linked, people.owner),
            "speakers": speakers(linked, config.sure),
        }
        if config.frames and self._tracks:
            told["frames"] = frames(self._rows("face_analysis").tables["faces"], decided, seen)
        return told

    def _rows(self, pipeline: str) -> PipelineResult:
        result = self.context.output(pipeline)
        if result is None:
            raise PlanError(f"active_speaker needs the rows of {pipeline}, and they are not there")
        return result

    def _heard(self) -> list[Turn]:
        """Turns of speakers, else stretches of speech."""
        wanted = ("speaker_diarization", "voice_activity") if self.config.voices == "auto" else (self.config.voices,)
        for name, output in (("speaker_diarization", "turns"), ("voice_activity", "speech")):
            result = self.context.output(name) if name in wanted else None
            if result is not None:
                if name != wanted[0]:
                    self.context.notice(
                        "speech is that of voice_activity: speakers have no names, and nothing is "
                        "learned of a voice over the recording; run speaker_diarization for that"
                    )
                return turns_of(result.tables[output], self.context.span)
        raise ConfigError(
            "nobody says when somebody speaks: run speaker_diarization or voice_activity, too (and see whether it "
            'failed), or set active_speaker.voices="voice_activity"'
        )

    def _shots(self) -> list[float]:
        """When shots begin."""
        result = self.context.output("scene_detection")
        return [] if result is None else np.sort(result.tables["shots"].column("start")).tolist()

    def _faces(self) -> Mapping[int, FaceTrack]:
        video, span = self.context.media.video, self.context.span
        result = self._rows("face_analysis")
        faces = result.tables["faces"].during(span.start, span.end)
        if video is None or not len(faces):
            return {}
        clock = video.clock
        return face_tracks(
            faces,
            rate=result.coverage.rate,
            times=np.asarray(clock.times, dtype=np.float64),
            end=min(clock.end, span.end),
            cuts=self._cuts,
            hold=self.config.hold,
        )

    def _landmarks(self) -> Mapping[int, Seen] | None:
        """What landmarks say of mouths; None where pictures are looked at instead."""
        config = self.config
        result = self.context.output("face_landmarks") if config.mouth != "pixels" else None
        if result is None:
            return None
        rows = result.tables["landmarks"].during(self.context.span.start, self.context.span.end)
        complete = not len(rows) or all(points is not None for points in rows.column("points"))
        if config.mouth == "landmarks":
            if not complete:
                raise ConfigError("face_landmarks does not keep its points: set face_landmarks.points=true")
            return from_landmarks(rows)
        try:
            RowsBeside(self.context, "face_landmarks", "landmarks", config.watched)
        except ConfigError:
            complete = False
        if not complete:
            self.context.notice(
                "mouths are watched in the pictures: face_landmarks looks at fewer of them, or keeps no points"
            )
            return None
        return from_landmarks(rows)

    def _measured(self) -> Mapping[int, Seen]:
        """What was measured of each track's mouth."""
        if self._points is not None:
            return self._points
        if not self._chunks:
            return {}
        every = np.concatenate(self._chunks)
        found = {}
        for track in np.unique(every[:, 0]):
            mine = every[every[:, 0] == track]
            found[int(track)] = from_pixels(*mine.T[1:])
        return found

    def _pictures(self) -> TimeSpan:
        """From the first picture to the end of the last; an empty span where there is none."""
        video = self.context.media.video
        if video is None or not len(video.clock):
            return TimeSpan(0.0, 0.0)
        return TimeSpan(max(0.0, float(video.clock.times[0])), float(video.clock.end))
