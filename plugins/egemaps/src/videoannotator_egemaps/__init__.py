"""The eGeMAPS acoustic parameter set, and others of openSMILE: per turn, speech region or fixed stretch.

openSMILE is not free for everything: audEERING's research licence allows non-commercial use, and commercial research
that is not part of developing a product. Features made with it are covered, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import videoannotator as va

if TYPE_CHECKING:
    from videoannotator_egemaps.naming import opensmile_names, to_opensmile

__all__ = ["opensmile_names", "to_opensmile", "videoannotator_pipelines"]

_ROWS = "videoannotator_egemaps.rows"


def __getattr__(name: str) -> Any:
    """`opensmile_names` and `to_opensmile`, imported when they are asked for."""
    if name in ("opensmile_names", "to_opensmile"):
        from videoannotator_egemaps import naming

        return getattr(naming, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="egemaps",
            version="1.0",
            summary="The acoustic parameters of eGeMAPS (openSMILE; research licence)",
            needs=(
                va.Audio(rate=16000),
                va.Output("speaker_diarization", optional=True),
                va.Output("voice_activity", optional=True),
            ),
            gives={
                "functionals": f"{_ROWS}:Functionals",
                "descriptors": f"{_ROWS}:Descriptors",
                "compare": f"{_ROWS}:Features",
                "compare_descriptors": f"{_ROWS}:Features",
            },
            pipeline="videoannotator_egemaps.pipeline:Egemaps",
            config="videoannotator_egemaps.config:EgemapsConfig",
            licence="MIT AND LicenseRef-audEERING-Research-License",
            memory=va.MemoryNeed(fixed=550_000_000),  # of the processor, for a stretch of ten minutes
        )
    ]
