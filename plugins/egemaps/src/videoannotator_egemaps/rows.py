# ruff: noqa: N815 - the names of the columns are those of openSMILE
"""The rows of ``egemaps``: openSMILE's features under its own names, with ``-`` and ``.`` written ``_``.

What each is: F. Eyben et al., *The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective
Computing*, IEEE Transactions on Affective Computing 7(2), 2016, 190-202; B. Schuller et al., *The INTERSPEECH 2016
Computational Paralinguistics Challenge*, 2016, for ComParE. Numbers are openSMILE's, which are of 32 bits; its own 0
for "unvoiced" or "nothing to average" is left as it is. None: the stretch is too short (60 ms) or the set has no such
feature.

Parts of the names: ``sma3`` smoothed over three frames, ``nz`` only where it is not 0 (voiced frames), ``V`` and ``UV``
of voiced and of unvoiced parts; ``amean`` arithmetic mean, ``stddevNorm`` standard deviation divided by the mean,
``percentile20_0`` 20th percentile, ``pctlrange0_2`` from the 20th to the 80th. Pitch is in semitones above 27.5 Hz,
formants in Hz, jitter a part of one, shimmer, HNR, levels and ratios in dB.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.data.columns import ArrayOf, Ascending, Dtype
from videoannotator.data.rows import Seconds

__all__ = ["Descriptors", "Features", "Functionals"]

Value = Annotated[float, Dtype("float32")] | None
Values = Annotated[NDArray[np.float32], ArrayOf("float32", (None,))]

_SPAN = (Ascending("start", "end", strict=True),)


@va.row
class Functionals:
    """What a stretch sounds like: the 88 functionals of eGeMAPSv02, of which GeMAPSv01b has 62.

    ``speaker``: whose turn it is, None for stretches that are no turns.
    """

    start: Seconds
    end: Seconds
    speaker: str | None
    F0semitoneFrom27_5Hz_sma3nz_amean: Value = None
    F0semitoneFrom27_5Hz_sma3nz_stddevNorm: Value = None
    F0semitoneFrom27_5Hz_sma3nz_percentile20_0: Value = None
    F0semitoneFrom27_5Hz_sma3nz_percentile50_0: Value = None
    F0semitoneFrom27_5Hz_sma3nz_percentile80_0: Value = None
    F0semitoneFrom27_5Hz_sma3nz_pctlrange0_2: Value = None
    F0semitoneFrom27_5Hz_sma3nz_meanRisingSlope: Value = None
    F0semitoneFrom27_5Hz_sma3nz_stddevRisingSlope: Value = None
    F0semitoneFrom27_5Hz_sma3nz_meanFallingSlope: Value = None
    F0semitoneFrom27_5Hz_sma3nz_stddevFallingSlope: Value = None
    loudness_sma3_amean: Value = None
    loudness_sma3_stddevNorm: Value = None
    loudness_sma3_percentile20_0: Value = None
    loudness_sma3_percentile50_0: Value = None
    loudness_sma3_percentile80_0: Value = None
    loudness_sma3_pctlrange0_2: Value = None
    loudness_sma3_meanRisingSlope: Value = None
    loudness_sma3_stddevRisingSlope: Value = None
    loudness_sma3_meanFallingSlope: Value = None
    loudness_sma3_stddevFallingSlope: Value = None
    spectralFlux_sma3_amean: Value = None
    spectralFlux_sma3_stddevNorm: Value = None
    mfcc1_sma3_amean: Value = None
    mfcc1_sma3_stddevNorm: Value = None
    mfcc2_sma3_amean: Value = None
    mfcc2_sma3_stddevNorm: Value = None
    mfcc3_sma3_amean: Value = None
    mfcc3_sma3_stddevNorm: Value = None
    mfcc4_sma3_amean: Value = None
    mfcc4_sma3_stddevNorm: Value = None
    jitterLocal_sma3nz_amean: Value = None
    jitterLocal_sma3nz_stddevNorm: Value = None
    shimmerLocaldB_sma3nz_amean: Value = None
    shimmerLocaldB_sma3nz_stddevNorm: Value = None
    HNRdBACF_sma3nz_amean: Value = None
    HNRdBACF_sma3nz_stddevNorm: Value = None
    logRelF0_H1_H2_sma3nz_amean: Value = None
    logRelF0_H1_H2_sma3nz_stddevNorm: Value = None
    logRelF0_H1_A3_sma3nz_amean: Value = None
    logRelF0_H1_A3_sma3nz_stddevNorm: Value = None
    F1frequency_sma3nz_amean: Value = None
    F1frequency_sma3nz_stddevNorm: Value = None
    F1bandwidth_sma3nz_amean: Value = None
    F1bandwidth_sma3nz_stddevNorm: Value = None
    F1amplitudeLogRelF0_sma3nz_amean: Value = None
    F1amplitudeLogRelF0_sma3nz_stddevNorm: Value = None
    F2frequency_sma3nz_amean: Value = None
    F2frequency_sma3nz_stddevNorm: Value = None
    F2bandwidth_sma3nz_amean: Value = None
    F2bandwidth_sma3nz_stddevNorm: Value = None
    F2amplitudeLogRelF0_sma3nz_amean: Value = None
    F2amplitudeLogRelF0_sma3nz_stddevNorm: Value = None
    F3frequency_sma3nz_amean: Value = None
    F3frequency_sma3nz_stddevNorm: Value = None
    F3bandwidth_sma3nz_amean: Value = None
    F3bandwidth_sma3nz_stddevNorm: Value = None
    F3amplitudeLogRelF0_sma3nz_amean: Value = None
    F3amplitudeLogRelF0_sma3nz_stddevNorm: Value = None
    alphaRatioV_sma3nz_amean: Value = None
    alphaRatioV_sma3nz_stddevNorm: Value = None
    hammarbergIndexV_sma3nz_amean: Value = None
    hammarbergIndexV_sma3nz_stddevNorm: Value = None
    slopeV0_500_sma3nz_amean: Value = None
    slopeV0_500_sma3nz_stddevNorm: Value = None
    slopeV500_1500_sma3nz_amean: Value = None
    slopeV500_1500_sma3nz_stddevNorm: Value = None
    spectralFluxV_sma3nz_amean: Value = None
    spectralFluxV_sma3nz_stddevNorm: Value = None
    mfcc1V_sma3nz_amean: Value = None
    mfcc1V_sma3nz_stddevNorm: Value = None
    mfcc2V_sma3nz_amean: Value = None
    mfcc2V_sma3nz_stddevNorm: Value = None
    mfcc3V_sma3nz_amean: Value = None
    mfcc3V_sma3nz_stddevNorm: Value = None
    mfcc4V_sma3nz_amean: Value = None
    mfcc4V_sma3nz_stddevNorm: Value = None
    alphaRatioUV_sma3nz_amean: Value = None
    hammarbergIndexUV_sma3nz_amean: Value = None
    slopeUV0_500_sma3nz_amean: Value = None
    slopeUV500_1500_sma3nz_amean: Value = None
    spectralFluxUV_sma3nz_amean: Value = None
    loudnessPeaksPerSec: Value = None
    VoicedSegmentsPerSec: Value = None
    MeanVoicedSegmentLengthSec: Value = None
    StddevVoicedSegmentLengthSec: Value = None
    MeanUnvoicedSegmentLength: Value = None
    StddevUnvoicedSegmentLength: Value = None
    equivalentSoundLevel_dBp: Value = None
    __rules__: ClassVar = _SPAN


@va.row
class Descriptors:
    """One frame of a stretch: the 25 low-level descriptors of eGeMAPSv02, of which GeMAPSv01b has 18.

    ``start``, ``end``: as openSMILE tells them: every 10 ms, 20 ms long, the last one to the end of the stretch. They
    belong to the stretch, so frames of stretches that overlap are there twice. ``speaker``: as in `Functionals`.
    """

    start: Seconds
    end: Seconds
    speaker: str | None
    Loudness_sma3: Value = None
    alphaRatio_sma3: Value = None
    hammarbergIndex_sma3: Value = None
    slope0_500_sma3: Value = None
    slope500_1500_sma3: Value = None
    spectralFlux_sma3: Value = None
    mfcc1_sma3: Value = None
    mfcc2_sma3: Value = None
    mfcc3_sma3: Value = None
    mfcc4_sma3: Value = None
    F0semitoneFrom27_5Hz_sma3nz: Value = None
    jitterLocal_sma3nz: Value = None
    shimmerLocaldB_sma3nz: Value = None
    HNRdBACF_sma3nz: Value = None
    logRelF0_H1_H2_sma3nz: Value = None
    logRelF0_H1_A3_sma3nz: Value = None
    F1frequency_sma3nz: Value = None
    F1bandwidth_sma3nz: Value = None
    F1amplitudeLogRelF0_sma3nz: Value = None
    F2frequency_sma3nz: Value = None
    F2bandwidth_sma3nz: Value = None
    F2amplitudeLogRelF0_sma3nz: Value = None
    F3frequency_sma3nz: Value = None
    F3bandwidth_sma3nz: Value = None
    F3amplitudeLogRelF0_sma3nz: Value = None
    __rules__: ClassVar = _SPAN


@va.row
class Features:
    """Features of a set with too many for columns (ComParE_2016): of a stretch, or of one frame of it.

    ``values``: float32 (6373,) for a stretch, (65,) for a frame, in the order of `opensmile_names`; None for a stretch
    that is too short. ``speaker``: as in `Functionals`.
    """

    start: Seconds
    end: Seconds
    speaker: str | None
    values: Values | None = None
    __rules__: ClassVar = _SPAN
