"""Every hostile file ends in a result or in an error with a name, soon; nothing else is opened, nobody is called."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import av
import av.error
import pytest
from tests.decode.canary import Canary, Listener
from tests.run.pipelines import CATALOG

import videoannotator as va
from videoannotator.decode.guarding import Checked, Guard, check_guarded
from videoannotator.decode.limits import MediaLimits
from videoannotator.decode.probing import probe
from videoannotator.errors import MediaError, MediaGuardError, RefusedMediaError
from videoannotator.testing.hostile import HostileFile, write_hostile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify, which watches the canary, is Linux's")

DAMAGED = int(os.environ.get("VIDEOANNOTATOR_TEST_DAMAGED", "140"))
SEED = int(os.environ.get("VIDEOANNOTATOR_TEST_SEED", "0"))
LIMITS = MediaLimits(size=20_000_000, duration=4 * 3600.0, frames=1_000_000, total_pixels=10**12, streams=64)


@attrs.frozen
class Corpus:
    folder: Path
    files: list[HostileFile]
    listener: Listener

    def named(self, part: str) -> Path:
        return next(file.path for file in self.files if part in file.path.name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("hostile") / "files"
    with Listener() as listener:
        yield Corpus(folder, write_hostile(folder, address=listener.address, damaged=DAMAGED, seed=SEED), listener)


@pytest.fixture(scope="module")
def outcomes(corpus: Corpus) -> list[tuple[HostileFile, Checked]]:
    """Probed and decoded (20 s of each at most), under guard but not shut in: FFmpeg could open more."""
    with Canary(corpus.folder / "canary") as canary:
        paths = [file.path for file in corpus.files]
        checked = list(check_guarded(paths, LIMITS, Guard(closed=False), decode_seconds=20))
        assert canary.opened() == []
    assert corpus.listener.calls == 0
    return list(zip(corpus.files, checked, strict=True))


def test_each_ends_in_a_result_or_an_error_with_a_name(outcomes: list[tuple[HostileFile, Checked]]) -> None:
    assert len(outcomes) >= 180
    for file, checked in outcomes:
        assert checked.path == str(file.path)
        assert (checked.media is None) != (checked.error is None)
        if checked.error is not None:
            assert isinstance(checked.error, MediaError)
            assert str(checked.error).startswith(f"{file.path}: ")
    # neither crashes, nor hangs, nor errors of a dependency; a damaged size may ask FFmpeg for all memory there is
    guards = [(c.path, str(c.error)) for _, c in outcomes if isinstance(c.error, MediaGuardError)]
    assert [said for said in guards if "a size in it is damaged" not in said[1]] == []
    assert len(guards) <= len(outcomes) // 200


def test_what_is_sound_is_read(outcomes: list[tuple[HostileFile, Checked]]) -> None:
    for file, checked in outcomes:
        # "img%03d.png" is a list of pictures to FFmpeg; 100 hours are above the limit
        if file.kind in ("sound", "odd", "disguised", "name") and "%03d" not in file.path.name:
            if "100 hours" in file.path.name:
                assert getattr(checked.error, "limit", None) == "duration"
                continue
            assert checked.error is None, (file, checked.error)
            assert checked.media is not None
            assert (checked.decoded > 0) == (checked.media.video is not None), file
            assert (checked.heard > 0) == (checked.media.audio is not None), file
            assert checked.failures == (), file


def test_lists_bombs_and_no_media_are_refused(outcomes: list[tuple[HostileFile, Checked]]) -> None:
    kinds: Counter[str] = Counter()
    for file, checked in outcomes:
        if file.kind in ("list", "no media"):
            assert checked.error is not None, file
            kinds[type(checked.error).__name__] += 1
        if file.kind == "bomb" and "8192" in file.path.name:
            assert getattr(checked.error, "limit", None) == "pixels", (file, checked.error)
    assert kinds["RefusedMediaError"] > 60


def test_some_would_open_other_files_if_they_could(corpus: Corpus) -> None:
    """The files really ask for it, and the canary sings."""
    with Canary(corpus.folder / "canary") as canary:
        with av.open(str(corpus.named("concat near.mp4"))) as container:
            assert container.format.name == "concat"
        assert "other.ts" in canary.opened()
        with av.open(str(corpus.named("samples elsewhere.mov")), options={"enable_drefs": "1"}) as container:
            assert sum(packet.size for packet in container.demux(video=0)) > 0
        assert "other.mov" in canary.opened()
        playlist = str(corpus.named("hls near.m3u8"))
        with av.open(playlist, options={"protocol_whitelist": "file,http,tcp"}) as container:
            assert container.format.name == "hls"
        assert "other.ts" in canary.opened()
        for file in corpus.files:
            if file.kind == "list":
                with pytest.raises(MediaError):
                    probe(file.path)
        assert canary.opened() == []
    assert corpus.listener.calls == 0


def test_a_list_would_call_an_address_if_it_could(corpus: Corpus) -> None:
    with Listener() as listener:
        path = corpus.folder / "call.m3u8"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{listener.address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(av.error.FFmpegError):
            av.open(str(path), options={"protocol_whitelist": "file,http,tcp"})
        assert listener.calls > 0
        before = listener.calls
        with pytest.raises(RefusedMediaError):
            probe(path)
        assert listener.calls == before


def test_what_passes_can_be_annotated(outcomes: list[tuple[HostileFile, Checked]]) -> None:
    """In this process, by real runs: pipelines fail or finish, and a damaged file is not an end of the run."""
    passed = [checked for _, checked in outcomes if checked.media is not None and checked.media.duration < 10]
    done = 0
    with va.Annotator(["watch", "loudness"], catalog=CATALOG) as annotator:
        for checked in passed[:: max(1, len(passed) // 15)]:
            result = annotator.annotate(checked.path)
            assert {"watch", "loudness"} <= set(result.pipelines) | {f.pipeline for f in result.failures}
            done += 1
    assert done >= 15
