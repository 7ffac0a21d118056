"""What a file is, remembered between runs."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from videoannotator.decode.probing import probe
from videoannotator.discover import hashing
from videoannotator.errors import MediaError
from videoannotator.run import identity
from videoannotator.testing.clips import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=30, rate=25, sound="tone")


def test_a_file_is_probed_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_SETTLED", 0.0)
    media = probe(clip)
    assert identity.probed(clip) == media
    with monkeypatch.context() as patched:
        patched.setattr(identity, "probe", lambda path: pytest.fail(f"{path} was probed again"))
        assert identity.probed(clip) == media
        assert identity.probed(str(clip)).video == media.video
    monkeypatch.setattr(identity, "_code", lambda: "of another version")
    changed = attrs.evolve(media, notices=("seen by other code",))
    monkeypatch.setattr(identity, "probe", lambda path: changed)
    assert identity.probed(clip) == changed


def test_a_file_that_was_written_anew_is_probed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_SETTLED", 0.0)
    path = write_clip(tmp_path / "clip.mp4", frames=10)
    assert identity.probed(path).duration == pytest.approx(0.4)
    write_clip(path, frames=20)
    assert identity.probed(path).duration == pytest.approx(0.8)
    moved = path.rename(tmp_path / "moved.mp4")
    assert identity.probed(moved).path == str(moved)
    with pytest.raises(MediaError, match="no such file"):
        identity.probed(path)
