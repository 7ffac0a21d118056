"""Names of files, requests, failpoints, and which errors are worth another attempt."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator import errors
from videoannotator.data.outcome import Failure
from videoannotator.serve.errors import InvalidConfigError, RequestError
from videoannotator.serve.failpoints import failpoint
from videoannotator.serve.request import JobRequest
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.work.messages import Done, Gone, Noted, Progressed, Task, packed, unpacked
from videoannotator.serve.work.naming import absolute, relative, stem_of
from videoannotator.serve.work.retrying import code_of, delay_of, failing_code, retries


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("session 01.mp4", "session 01"),
        ("Größe – 日本.mov", "Größe – 日本"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\baby.avi", "baby"),
        ("a.b.mp4", "a.b"),
        (".mp4", "mp4"),
        ("", "video"),
        ("..", "video"),
        ("con.mp4", "_con"),
        ('a<b>"c|d?.mp4', "a_b__c_d_"),
        ("-i.mp4", "-i"),
        ("\u202egpj.mp4", "_gpj"),
    ],
)
def test_how_files_of_a_video_begin(name: str, stem: str) -> None:
    assert stem_of(name) == stem


@given(st.text())
def test_a_stem_is_one_part_of_a_path_anywhere(name: str) -> None:
    stem = stem_of(name)
    assert 0 < len(stem.encode()) <= 101
    assert PurePosixPath(stem).parts == PureWindowsPath(stem).parts == (stem,)
    assert stem not in (".", "..")
    assert stem == stem.strip(" .")
    assert not any(ord(letter) < 32 for letter in stem)


@given(st.from_regex(r"[a-z0-9/._~\x00-]{0,30}", fullmatch=True))
def test_no_name_leads_out_of_the_roots(tmp_path_factory: pytest.TempPathFactory, tail: str) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    settings = ServerSettings(roots=(root,))
    folder = None
    with suppress(RequestError):
        folder = inside_roots(settings, f"{root}/{tail}", what="output_directory")
    assert folder is None or folder.is_relative_to(root.resolve())
    assert folder is not None or ".." in tail or "\0" in tail


def test_paths_in_the_database() -> None:
    settings = ServerSettings(data_dir=Path("/data"))
    assert relative(settings, "/data/jobs/x/attempt-1") == "jobs/x/attempt-1"
    assert relative(settings, "/other/x") == "/other/x"
    assert absolute(settings, "jobs/x") == Path("/data/jobs/x")
    assert absolute(settings, "/other/x") == Path("/other/x")


_ERRORS: list[tuple[BaseException, str, bool]] = [
    (errors.UnreadableMediaError("none", path="x"), "MEDIA_REFUSED", False),
    (errors.UnknownPipelineError("x"), "UNKNOWN_PIPELINE", False),
    (errors.ConfigError("x"), "INVALID_CONFIG", False),
    (errors.ModelMissingError("x"), "MODEL_MISSING", False),
    (errors.ModelMismatchError("x"), "MODEL_REFUSED", False),
    (errors.ModelDownloadError("x"), "MODEL_DOWNLOAD_FAILED", True),
    (errors.LeaseTimeout("x"), "DEVICE_BUSY", True),
    (errors.DeviceError("x"), "DEVICE_MISSING", False),
    (errors.FormatError("x"), "FORMAT_FAILED", False),
    (OSError(errno.ENOSPC, "full"), "STORAGE_FULL", True),
    (OSError(errno.EIO, "broken"), "INTERNAL_ERROR", True),
    (MemoryError(), "OUT_OF_MEMORY", True),
    (ZeroDivisionError(), "INTERNAL_ERROR", True),
]


@pytest.mark.parametrize(("error", "code", "passes"), _ERRORS)
def test_which_errors_are_tried_again(error: BaseException, code: str, passes: bool) -> None:
    assert code_of(error) == code
    assert retries(code, attempt=1, max_attempts=3, before=None) == passes
    assert not retries(code, attempt=3, max_attempts=3, before=None)


def test_a_full_disk_is_seen_behind_other_errors() -> None:
    error = errors.FormatError("could not be written")
    error.__cause__ = OSError(errno.ENOSPC, "full")
    assert code_of(error) == "STORAGE_FULL"


def test_short_memory_is_tried_once_more() -> None:
    assert retries("OUT_OF_MEMORY", attempt=1, max_attempts=9, before=None)
    assert retries("OUT_OF_MEMORY", attempt=3, max_attempts=9, before="CRASHED")
    assert not retries("OUT_OF_MEMORY", attempt=2, max_attempts=9, before="OUT_OF_MEMORY")


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        (["pipeline_error"], "PIPELINE_FAILED"),
        (["pipeline_error", "lease_timeout"], "DEVICE_BUSY"),
        (["model_missing"], "MODEL_MISSING"),
        (["model_download"], "MODEL_DOWNLOAD_FAILED"),
        ([], "MEDIA_DAMAGED"),
    ],
)
def test_the_code_of_failed_pipelines(kinds: list[str], code: str) -> None:
    assert failing_code([Failure(kind, "x") for kind in kinds]) == code


def test_waiting_doubles_and_ends() -> None:
    assert [delay_of(10.0, attempt) for attempt in (1, 2, 3, 7, 1000)] == [10.0, 20.0, 40.0, 600.0, 600.0]


REQUESTS = st.builds(
    JobRequest,
    pipelines=st.none() | st.lists(st.text(), min_size=1).map(tuple),
    config=st.dictionaries(
        st.text(), st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())
    ),
    device=st.none() | st.text(),
    precision=st.sampled_from(["exact", "fast"]),
    start=st.none() | st.floats(0, 1e6),
    end=st.none() | st.floats(0, 1e6),
    formats=st.lists(st.text()).map(tuple),
    isolate=st.lists(st.text()).map(tuple),
    output_directory=st.none() | st.text(),
    template=st.none() | st.text(),
)


@given(REQUESTS)
def test_a_request_comes_back(request_: JobRequest) -> None:
    assert JobRequest.of(request_.plain()) == request_
    places = {"media": "/m", "name": "n", "device": "cpu", "folder": "/f", "target": "/t", "cache": "/c"}
    task = Task(job="j", attempt=1, max_attempts=3, request=request_, **places)
    assert unpacked(packed(task)) == task


@pytest.mark.parametrize(
    "message",
    [
        Progressed(stage="a\nb", fraction=0.5, frames=3, media_seconds=0.1, eta=None),
        Noted(message="ä", pipeline=None),
        Done(state="partial", code="X", message="y", folder="/f", bytes=3, summary={"a": [1, {"b": None}]}),
        Gone(message="went"),
    ],
)
def test_a_message_is_a_line_and_comes_back(message: Any) -> None:
    line = packed(message)
    assert line.count(b"\n") == 1
    assert unpacked(line) == message


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ({"pipeline": ["x"]}, "pipeline"),
        ({"pipelines": "counts"}, "must be a list"),
        ({"pipelines": []}, "empty"),
        ({"start": "3"}, "must be float"),
        ({"spans": [[0, 1]], "start": 1.0}, "not both"),
        ({"precision": "quick"}, "quick"),
    ],
)
def test_a_request_that_does_not_fit(plain: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidConfigError, match=says):
        JobRequest.of(plain)


def test_failpoints_act_as_often_as_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failpoint("x")
    monkeypatch.setenv("VIDEOANNOTATOR_FAILPOINTS", "x=full*2, y=nonsense")
    monkeypatch.setenv("VIDEOANNOTATOR_FAILPOINTS_SEEN", str(tmp_path))
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            failpoint("x")
    failpoint("x")
    failpoint("z")
    with pytest.raises(ValueError, match="kill, sleep"):
        failpoint("y")
