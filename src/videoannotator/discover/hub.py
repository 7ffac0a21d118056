"""Weights on the Hugging Face hub: found in its own cache on this disk, or fetched by its own client.

The client is imported when there is something to fetch. It is asked to send nothing about this machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import attrs

from videoannotator.discover.hashing import matches
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import MissingDependencyError, ModelDownloadError, ModelMissingError

__all__ = ["HubSource", "cached", "fetch", "how_to_agree", "hub_cache", "hub_source", "token_there"]

_PREFIX = "hub:"


@attrs.frozen
class HubSource:
    """A repository at a revision, or one file of it. ``file``: its path in the repository; empty for the folder."""

    repository: str
    revision: str
    file: str = ""

    @property
    def site(self) -> str:
        """The hub, or a mirror that the user has chosen."""
        return _endpoint() or "https://huggingface.co"

    @property
    def page(self) -> str:
        """Where people read about it, and agree to its terms."""
        return f"{self.site}/{self.repository}"


def hub_source(source: str) -> HubSource | None:
    """The parts of a `ModelSpec.source` that names the hub; None for any other."""
    if not source.startswith(_PREFIX):
        return None
    repository, _, rest = source.removeprefix(_PREFIX).partition("@")
    revision, _, file = rest.partition("/")
    return HubSource(repository, revision, file)


def _endpoint() -> str | None:
    """A mirror that the user has chosen."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _home() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HOME") or default).expanduser()


def hub_cache() -> Path:
    """Where the hub's client keeps what other programs have fetched, by the variables that it goes by."""
    chosen = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(chosen).expanduser() if chosen else _home() / "hub"


def token_there() -> bool:
    """Whether the user has given the hub's client a token: by a variable, or by ``hf auth login``."""
    if os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"):
        return True
    return Path(os.environ.get("HF_TOKEN_PATH") or _home() / "token").expanduser().is_file()


def cached(source: HubSource, files: tuple[str, ...]) -> Path | None:
    """The file or folder in the hub's own cache, whoever put it there; None where it is not, or not whole."""
    store = hub_cache() / f"models--{source.repository.replace('/', '--')}"
    reference = store / "refs" / source.revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else source.revision
    snapshot = store / "snapshots" / commit
    if not snapshot.is_dir():
        return None
    if source.file:
        found = snapshot / source.file
        return found if found.is_file() else None
    if any((store / "blobs").glob("*.incomplete")):  # a download that is going on, or was given up
        return None
    names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()]
    whole = all(any(matches(name, (pattern,)) for name in names) for pattern in files) and names
    return snapshot if whole else None


def fetch(spec: ModelSpec, source: HubSource, part: Path, *, bars: bool) -> Path:
    """Fetch the file or folder into the folder ``part``; gives back where it is: in it, or itself.

    Files that are in ``part`` since a download broke off are not fetched again. ``bars``: progress on standard error.
    Raises `MissingDependencyError` without the client, `ModelMissingError` where terms must be accepted first,
    `ModelDownloadError`.
    """
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise MissingDependencyError(
            f"{spec.name} comes from the Hugging Face hub, and its client is not installed: "
            'pip install "videoannotator[hub]"'
        ) from error
    part.mkdir(parents=True, exist_ok=True)
    try:
        with _quiet(bars=bars):
            return _fetched(spec, source, part)
    except errors.GatedRepoError as error:
        raise ModelMissingError(f"{spec.name} is not given to you: {how_to_agree(spec, source)}") from error
    except (errors.HfHubHTTPError, errors.HTTPError, OSError, ValueError) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelDownloadError(
            f"{spec.name} could not be fetched from {spec.source}: {why}; try again, or name its path in the settings"
        ) from error


def how_to_agree(spec: ModelSpec, source: HubSource) -> str:
    """What to do about a repository that asks for an agreement: where, and what to type, step by step."""
    return (
        f"accept the terms at {source.page} (an account is needed), make a token of the same account at "
        f"{source.site}/settings/tokens (Read is enough), give it with: hf auth login (or in the variable HF_TOKEN), "
        f"then type: videoannotator models fetch {spec.name}"
    )


def _fetched(spec: ModelSpec, source: HubSource, part: Path) -> Path:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.hf_api import RepoFile

    ours = version("videoannotator")
    names = [source.file]
    if not source.file:
        api = HfApi(endpoint=_endpoint(), library_name="videoannotator", library_version=ours)
        tree = api.list_repo_tree(source.repository, revision=source.revision, recursive=True)
        names = [entry.path for entry in tree if isinstance(entry, RepoFile) and matches(entry.path, spec.files)]
    if not names:
        raise ValueError(f"nothing there is called {', '.join(spec.files) or 'anything'}")
    for name in names:
        hf_hub_download(
            source.repository,
            name,
            revision=source.revision,
            local_dir=part,
            endpoint=_endpoint(),
            library_name="videoannotator",
            library_version=ours,
        )
    shutil.rmtree(part / ".cache", ignore_errors=True)  # the client's notes, with times: no part of the model
    return part / source.file if source.file else part


@contextmanager
def _quiet(*, bars: bool) -> Iterator[None]:
    """The client sends no telemetry, and shows bars only where they are wanted."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before, hidden = constants.HF_HUB_DISABLE_TELEMETRY, are_progress_bars_disabled()
    constants.HF_HUB_DISABLE_TELEMETRY = True
    if not bars:
        disable_progress_bars()
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before
        if not hidden:
            enable_progress_bars()
