"""What every test of the repository may use, those of the plugins included."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest
from hypothesis import HealthCheck, settings

from videoannotator.data.media import MediaInfo
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.pipeline import Context
from videoannotator.discover.specs import PipelineSpec

_DEFAULT = Path(__file__).parent.parent / "shared" / "assets"


# how long an example takes says something of the machine and of its other work; where nothing is said of how many,
# so many are tried, or as many as a night has time for
settings.register_profile(
    "house",
    deadline=None,
    max_examples=int(os.environ.get("VIDEOANNOTATOR_TEST_EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of a parallel run, one process takes all tests of a plugin, or of a file: what these share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed as strictly
        def _split_scope(self, nodeid: str) -> str:
            parts = nodeid.partition("::")[0].split("/")
            return "/".join(parts[:2] if parts[0] == "plugins" else parts)

    return Together(config, log)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real test material; the test is skipped, saying so, where it is not there."""
    folder = Path(os.environ.get("VIDEOANNOTATOR_TEST_ASSETS", _DEFAULT))
    if not folder.is_dir():
        pytest.skip(f"no test material at {folder}; set VIDEOANNOTATOR_TEST_ASSETS to where it is")
    return folder


@pytest.fixture(scope="session")
def rounds() -> int:
    """How many times over to try what is tried at many places or moments; more than one where there is time."""
    return int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "1"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test finds results or plugins of another, or of whoever runs the tests, and none leaves any."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(folder))
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(folder / "plugins"))
    return folder


@pytest.fixture(autouse=True, scope="session")
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of whoever runs the tests counts, also for what is made before the first test.

    The book of who holds which device is this session's, too: whatever else runs on this machine does not count.
    """
    with pytest.MonkeyPatch.context() as patch:
        for place in ("CACHE", "PLUGINS", "RUNTIME"):
            patch.setenv(f"VIDEOANNOTATOR_{place}", str(tmp_path_factory.mktemp(place.lower())))
        yield


@attrs.frozen
class Ran:
    """What came of a pipeline that ran by itself. ``progress``: every fraction it reported."""

    tables: Mapping[str, Table[Any]]
    media: MediaInfo
    context: Context
    progress: list[float]


class RunAlone(Protocol):
    """Runs one pipeline of a spec over a file, on the real decoder and without the engine."""

    def __call__(
        self, spec: PipelineSpec, path: Path, config: Mapping[str, Any] | None = None, *, span: TimeSpan | None = None
    ) -> Ran: ...


@pytest.fixture(scope="session")
def run_alone() -> RunAlone:
    """See `RunAlone`: for tests of a plugin that need neither threads nor entry points."""
    from videoannotator.data.needs import Audio, Frames
    from videoannotator.decode.batching import Batcher
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe
    from videoannotator.discover.config import config_of, needs_of
    from videoannotator.discover.specs import load

    def run(
        spec: PipelineSpec, path: Path, config: Mapping[str, Any] | None = None, *, span: TimeSpan | None = None
    ) -> Ran:
        media, settings, reported = probe(path), config_of(spec, config), list[float]()
        needs = needs_of(spec, settings)
        frames = [need for need in needs if isinstance(need, Frames)]
        audio = [need for need in needs if isinstance(need, Audio)]
        context = Context(media=media, span=span or media.span, threads=2, models=spec.models, report=reported.append)
        pipeline = load(spec.pipeline)(settings, context)
        given: dict[str, list[Table[Any]]] = {name: [] for name in spec.gives}

        def keep(rows: Any) -> None:
            if isinstance(rows, Table):
                rows = dict.fromkeys(spec.gives, rows)
            for name, table in (rows or {}).items():
                given[name].append(table)

        pipeline.setup()
        pipeline.begin()
        try:
            with DecodePass(media, frames, audio, span) as decoding:
                batcher = Batcher(media, frames[0], 0, spec.batch) if frames else None
                for picture in decoding:
                    batch = batcher.add(picture) if batcher else None
                    keep(pipeline.process(batch) if batch else None)
                batch = batcher.flush() if batcher else None
                keep(pipeline.process(batch) if batch else None)
                context._audio = next(iter(decoding.tracks.values()), None)
            keep(pipeline.finish())
        finally:
            pipeline.close()
        tables = {name: Table.concat([Table.empty(load(spec.gives[name])), *found]) for name, found in given.items()}
        return Ran(tables=tables, media=media, context=context, progress=reported)

    return run
