"""The pipeline over real voices, by small networks that were fitted to them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugins.speaker_diarization.tests.conftest import SPEC, hear

from videoannotator import Annotator
from videoannotator.discover.config import config_of
from videoannotator.discover.models import ModelStore
from videoannotator.errors import ConfigError, DataError, ModelMissingError
from videoannotator_speaker_diarization.layout import CONFIG

CUT = slice(6 * 16000, None)


@pytest.fixture(scope="session")
def two(community: Path, sample: np.ndarray) -> Any:
    """Twenty-four seconds of two speakers."""
    return hear(sample[CUT], {"weights": str(community)})


def turns(heard: Any) -> list[tuple[float, float, str]]:
    return [(turn.start, turn.end, turn.speaker) for turn in heard.tables["turns"]]


def clusters(heard: Any) -> int:
    """How many speakers clustering found. There may be one more where more speak at once than that."""
    return sum(voice.vector is not None for voice in heard.tables["voices"])


def test_who_speaks_when(two: Any, assets: Path) -> None:
    """Fitted to this very recording, so it must know it; the benchmark prints by how much it does."""
    metrics = pytest.importorskip("pyannote.metrics.diarization", reason="pyannote.metrics is not installed")
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.database.util import load_rttm

    (reference,) = load_rttm(assets / "audio" / "sample_two_speakers.rttm").values()
    found = Annotation()
    for track, (start, end, speaker) in enumerate(turns(two)):
        found[Segment(start + 6, end + 6), track] = speaker
    assert metrics.DiarizationErrorRate()(reference, found, uem=Timeline([Segment(6, 30)])) < 0.25
    assert {voice.speaker for voice in two.tables["voices"]} == {"SPEAKER_00", "SPEAKER_01"}


def test_what_comes_out_belongs_together(two: Any) -> None:
    tables = two.tables
    exclusive = tables["exclusive"]
    assert (exclusive.start[1:] >= exclusive.end[:-1]).all()
    assert {turn.speaker for turn in exclusive} <= {voice.speaker for voice in tables["voices"]}
    for voice in tables["voices"]:
        own = sum(end - start for start, end, speaker in turns(two) if speaker == voice.speaker)
        assert voice.seconds == pytest.approx(own)
        assert voice.vector.shape == (256,)
    assert tables["turns"].end.max() <= 24.0


def test_scores_are_the_segmentations_own(two: Any) -> None:
    """Between 0 and 1, of each turn another one, and surer of long turns than of scraps."""
    scores, rows = two.tables["turns"].score, two.tables["turns"]
    assert ((scores > 0) & (scores <= 1)).all()
    assert np.unique(scores).size > scores.size / 2
    long = rows.end - rows.start > 1.0
    assert scores[long].mean() > 0.6


def test_progress_and_cancelling(two: Any, community: Path, sample: np.ndarray) -> None:
    assert two.progress == sorted(two.progress)
    assert two.progress[-1] == 1.0
    assert any(0.15 < fraction < 0.95 for fraction in two.progress)

    class StopError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0:
            raise StopError

    with pytest.raises(StopError):
        hear(sample[: 12 * 16000], {"weights": str(community)}, report=stop)


def test_a_sound_that_begins_late(two: Any, community: Path, sample: np.ndarray) -> None:
    late = hear(sample[CUT], {"weights": str(community)}, start=4.25, threads=1)
    assert turns(late) == [(4.25 + start, 4.25 + end, speaker) for start, end, speaker in turns(two)]
    assert late.tables["voices"] == two.tables["voices"]  # and the number of threads changes no bit
    assert late.tables["turns"].score.tolist() == two.tables["turns"].score.tolist()


def test_batches_act(two: Any, community: Path, sample: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from videoannotator_speaker_diarization.diarizer import Diarizer, Segmenter

    seen: dict[str, list[int]] = {"segmentation": [], "embedding": []}
    told, embedded = Segmenter._told, Diarizer._embedded

    def segmenting(self: Any, chunks: Any) -> Any:
        seen["segmentation"].append(len(chunks))
        return told(self, chunks)

    def embedding(self: Any, network: Any, sounds: Any, masks: Any) -> Any:
        seen["embedding"].append(len(sounds))
        return embedded(self, network, sounds, masks)

    monkeypatch.setattr(Segmenter, "_told", segmenting)
    monkeypatch.setattr(Diarizer, "_embedded", embedding)
    settings = {"weights": str(community), "segmentation_batch_size": 4, "embedding_batch_size": 3}
    heard = hear(sample[CUT], settings)
    assert max(seen["segmentation"]) == 4
    assert max(seen["embedding"]) == 3
    assert [speaker for *_, speaker in turns(heard)] == [speaker for *_, speaker in turns(two)]


def test_fast_says_what_it_does(two: Any, community: Path, sample: np.ndarray) -> None:
    fast = hear(sample[CUT], {"weights": str(community)}, precision="fast")
    assert fast.notices == ["voice prints are computed with the channels last"]
    assert turns(fast) == turns(two)
    for ours, exact in zip(fast.tables["voices"], two.tables["voices"], strict=True):
        np.testing.assert_allclose(ours.vector, exact.vector, atol=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 2, 160, 16000])
def test_hardly_any_sound(community: Path, sample: np.ndarray, samples: int) -> None:
    heard = hear(sample[8 * 16000 :][:samples], {"weights": str(community), "min_speakers": 3})
    for table in heard.tables.values():
        for row in table:
            assert 0 <= getattr(row, "start", 0) <= getattr(row, "end", 0) <= samples / 16000


def test_silence_is_nobody(community: Path) -> None:
    heard = hear(np.zeros(3 * 16000), {"weights": str(community)})
    assert len(heard.tables["turns"]) == len(heard.tables["voices"]) == 0


def test_more_speakers_than_there_is_speech_for(community: Path, sample: np.ndarray) -> None:
    """pyannote's VBx ends in an error of scikit-learn's here."""
    heard = hear(sample[8 * 16000 : 16 * 16000], {"weights": str(community), "num_speakers": 9})
    found = len(heard.tables["voices"])
    assert 0 < found < 9
    assert heard.notices == [f"{found} speakers were found where 9 were asked for"]


def test_thresholds_act(three: dict[str, str], sample: np.ndarray) -> None:
    short = sample[CUT][: 15 * 16000]
    one = hear(short, {**three, "clustering_threshold": 2.0, "min_duration_off": 1.0, "segmentation_step": 0.2})
    assert clusters(one) == 1
    own = [(start, end) for start, end, speaker in turns(one) if speaker == "SPEAKER_00"]
    assert all(start - end >= 1.0 for (_, end), (start, _) in itertools.pairwise(own))
    many = hear(short, {**three, "clustering_threshold": 0.0, "min_cluster_size": 1})
    assert clusters(many) > 2


def test_what_vbx_is_told_acts(two: Any, community: Path, sample: np.ndarray) -> None:
    """The dearer another speaker, or the less the voice prints count, the more alike VBx makes the speakers."""

    def alike(heard: Any) -> float:
        first, second = (voice.vector / np.linalg.norm(voice.vector) for voice in heard.tables["voices"])
        return float(first @ second)

    for setting in ({"clustering_fb": 1000.0}, {"clustering_fa": 1e-5}):
        assert alike(hear(sample[CUT], {"weights": str(community), **setting})) > alike(two) + 0.1
    one = hear(sample[CUT], {"weights": str(community), "clustering_threshold": 2.0})
    assert clusters(one) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_cluster_size": 3}, r"min_cluster_size does nothing in .*, which has no clustering\.min_cluster_size"),
        ({"segmentation_threshold": 0.4}, r"segmentation_threshold does nothing"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(community: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hear(np.zeros(16000), {"weights": str(community), **settings})


def test_vbx_settings_are_refused_without_vbx(three: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"clustering_fa does nothing in .*, which has no clustering\.Fa"):
        hear(np.zeros(16000), {**three, "clustering_fa": 0.1})


def test_a_config_without_its_values(community: Path, tmp_path: Path) -> None:
    text = (community / CONFIG).read_text().replace("$model", str(community)).replace("Fa: 0.07", "")
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(ConfigError, match=r"lacks params\.clustering\.Fa"):
        hear(np.zeros(16000), {"weights": str(tmp_path)})


def test_a_config_file_by_itself(two: Any, community: Path, sample: np.ndarray) -> None:
    """The same networks, each with a record of its own."""
    heard = hear(sample[CUT], {"weights": str(community / CONFIG)})
    assert turns(heard) == turns(two)
    assert [record.name for record in heard.context.models_used] == [CONFIG, "segmentation", "embedding", "plda"]


def test_another_rate_is_refused(community: Path) -> None:
    with pytest.raises(DataError, match="needs sound at 16000 Hz, got 8000 Hz"):
        hear(np.zeros(8000), {"weights": str(community)}, rate=8000)


def test_weights_that_are_not_here_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Page by page and command by command, also with downloads allowed, for there is no token."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("speaker-diarization-community-1", "speaker-diarization-3.1", "segmentation-3.0"):
        with pytest.raises(ModelMissingError) as caught:
            ModelStore(download=True).get(name, SPEC.models)
        text = str(caught.value)
        assert f"https://huggingface.co/pyannote/{name}" in text
        assert "https://huggingface.co/settings/tokens" in text
        assert "hf auth login" in text
        assert f"videoannotator models fetch {name}" in text


def test_what_the_hubs_cache_has_is_used(
    community: Path, sample: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The declared models, by their names, offline: the way of a user who has fetched them with any program."""
    store = tmp_path / "models--pyannote--speaker-diarization-community-1"
    (store / "refs").mkdir(parents=True)
    (store / "snapshots").mkdir()
    (store / "refs" / "main").write_text("abc")
    (store / "snapshots" / "abc").symlink_to(community)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    heard = hear(sample[: 11 * 16000], {})
    assert len(heard.tables["turns"])
    (record,) = heard.context.models_used
    assert (record.name, record.licence) == ("speaker-diarization-community-1", "CC-BY-4.0")
    assert config_of(SPEC).models() == ("speaker-diarization-community-1",)


_WATCHED = """
import json, os, sys, time
tried = []
def watch(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        tried.append(f"{event} {given[-2:]}")
        raise OSError("nothing leaves this process")
sys.addaudithook(watch)
import numpy as np
from plugins.speaker_diarization.tests.conftest import hear
heard = hear(np.load(sys.argv[1]), {"weights": sys.argv[2]})
time.sleep(1.0)  # pyannote's reports leave every half second
quiet = list(tried)
from pyannote.audio.telemetry import metrics
metrics.set_telemetry_metrics(True)
metrics.track_model_init(object())
for _ in range(100):
    if tried:
        break
    time.sleep(0.1)
print(json.dumps([len(heard.tables["turns"]), quiet, bool(tried)]), flush=True)
os._exit(0)  # it would try again for a while
"""


def test_nothing_is_sent_and_nothing_is_said(community: Path, sample: np.ndarray, tmp_path: Path) -> None:
    """Without its telemetry no name is looked up; with it, one is: the guard sees it."""
    np.save(tmp_path / "sound.npy", sample[6 * 16000 : 11 * 16000])
    command = [sys.executable, "-c", _WATCHED, str(tmp_path / "sound.npy"), str(community)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    turns, quiet, seen = json.loads(ran.stdout)
    assert turns > 0
    assert quiet == []
    assert seen
    assert ran.stderr == ""


def test_the_spec_imports_no_torch() -> None:
    code = (
        "import sys, videoannotator_speaker_diarization as p, videoannotator_speaker_diarization.config as c;"
        "p.videoannotator_pipelines(); c.SpeakerDiarizationConfig().models();"
        "print(sorted({'torch', 'pyannote.audio', 'lightning', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_real_files(community: Path, assets: Path) -> None:
    """Through the engine: a video with a span of its own, and one without any sound."""
    config = {"speaker_diarization": {"weights": str(community)}}
    with Annotator(["speaker_diarization"], config=config, cache=False) as annotator:
        video = annotator.annotate(assets / "video" / "shot_change.mp4", progress=False)
        mute = annotator.annotate(assets / "video" / "people_walking.mp4", progress=False)
    assert video.ok, video.failures
    assert [failure.kind for failure in mute.failures] == ["no_audio"]
