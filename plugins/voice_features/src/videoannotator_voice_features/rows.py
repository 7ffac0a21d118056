"""The rows of ``voice_features``. What was not measured, or is not defined, is None.

Sources of the definitions: [B93] P. Boersma, *Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound*, IFA Proceedings 17, 1993; [Praat] the manual of Praat,
https://www.praat.org; [GeMAPS] F. Eyben et al., *The Geneva Minimalistic Acoustic Parameter Set (GeMAPS)*, IEEE
Transactions on Affective Computing 7(2), 2016; [BS.1770] Recommendation ITU-R BS.1770-4; [R128] EBU Tech 3341;
[librosa] https://librosa.org, whose functions of the same name give the same numbers.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.data.columns import ArrayOf, Ascending, Dtype, Range, Unit
from videoannotator.data.rows import Seconds

__all__ = ["MFCC", "VoiceFrame", "VoiceSegment"]

MFCC = 13
"""How many cepstral coefficients: 1 to 13, without the 0th, which is the level."""

Share = Annotated[float, Dtype("float32"), Range(ge=0, le=1)]
Full = Annotated[float, Dtype("float32"), Unit("dBFS")]
Loud = Annotated[float, Dtype("float32"), Unit("LUFS")]
Hertz = Annotated[float, Dtype("float32"), Unit("Hz"), Range(ge=0)]
Decibel = Annotated[float, Dtype("float32"), Unit("dB")]
Spread = Annotated[float, Dtype("float32"), Unit("dB"), Range(ge=0)]
Slope = Annotated[float, Dtype("float32"), Unit("dB/kHz")]
SlopeSpread = Annotated[float, Dtype("float32"), Unit("dB/kHz"), Range(ge=0)]
Ratio = Annotated[float, Dtype("float32"), Range(ge=0)]
Semitones = Annotated[float, Dtype("float32"), Unit("semitone"), Range(ge=0)]
Cepstrum = Annotated[NDArray[np.float32], ArrayOf("float32", (MFCC,))]


@va.row
class VoiceFrame:
    """How the sound is around one moment, once every ``step``.

    A measure is None where the stretch of sound that it sees does not lie wholly inside the sound, and where it is not
    defined: levels and spectral measures of digital silence, pitch and voice quality of unvoiced frames.

    ``time``: centre of the frame. ``rms``: level, the root mean square against that of full scale 1. ``loudness``:
    momentary loudness, K-weighted, of the 400 ms around the frame [BS.1770, R128]. ``clipped``: share of the samples
    at or above ``clip_level``.
    ``f0``: pitch, None where unvoiced. ``voicing``: how periodic it is: the normalised autocorrelation
    at the period of the pitch, of an unvoiced frame its highest peak in the pitch's range, 0 where there is none [B93];
    no calibrated probability.
    ``hnr``: harmonics-to-noise ratio, 10 lg(r / (1 - r)) of the autocorrelation r at the period [B93], at most 100.
    ``jitter``, ``shimmer``: local, parts of one, of the periods inside the stretch that the pitch sees, at least three
    [Praat].
    ``centroid``, ``bandwidth``, ``rolloff``, ``flatness``: of the magnitudes (flatness: of their squares) [librosa].
    ``flux``: Euclidean distance between the magnitudes of this frame and of the one before, each divided by its sum.
    ``slope_0_500``, ``slope_500_1500``: of the line through the spectrum in dB, between these Hz [GeMAPS].
    ``alpha_ratio``: energy from 1 to 5 kHz against that from 50 Hz to 1 kHz (openSMILE's sign). ``hammarberg_index``:
    highest peak below 2 kHz against that from 2 to 5 kHz [GeMAPS]. ``mfcc``: float32 (13,), 1st to 13th [librosa].
    """

    time: Seconds
    rms: Full | None = None
    loudness: Loud | None = None
    clipped: Share | None = None
    f0: Hertz | None = None
    voicing: Share | None = None
    hnr: Decibel | None = None
    jitter: Ratio | None = None
    shimmer: Ratio | None = None
    centroid: Hertz | None = None
    bandwidth: Hertz | None = None
    rolloff: Hertz | None = None
    flatness: Share | None = None
    flux: Ratio | None = None
    slope_0_500: Slope | None = None
    slope_500_1500: Slope | None = None
    alpha_ratio: Decibel | None = None
    hammarberg_index: Decibel | None = None
    mfcc: Cepstrum | None = None


@va.row
class VoiceSegment:
    """A stretch of sound summed up: a turn, a speech region, or a fixed stretch.

    ``speaker``: whose turn it is, None for stretches that are no turns. ``frames``: how many frames have their
    centre in it. ``speech_share``: which part of it is speech to ``voice_activity``, None where that did not run.
    ``voiced_share``: of the frames whose pitch was measured, those that have one. ``clipped``: share of samples.
    ``rms``: level of the whole stretch.
    ``..._mean``, ``..._sd``: of the values of its frames, each frame counting the same, where the measure is not None;
    the standard deviation is that of the frames at hand (divided by their number). Slopes, alpha ratio and Hammarberg
    index are of voiced frames only, as in GeMAPS; centroid to flux, and MFCC, of all. ``loudness_max``: the loudest
    400 ms. ``f0_median``, ``f0_low``, ``f0_high``: 50th, 5th, 95th percentile; ``f0_range``: from low to high.
    ``jitter``, ``shimmer``: local, of all periods in the stretch, at least three.
    """

    start: Seconds
    end: Seconds
    speaker: str | None
    frames: Annotated[int, Range(ge=0)]
    speech_share: Share | None = None
    voiced_share: Share | None = None
    clipped: Share | None = None
    rms: Full | None = None
    loudness_mean: Loud | None = None
    loudness_sd: Spread | None = None
    loudness_max: Loud | None = None
    f0_mean: Hertz | None = None
    f0_sd: Hertz | None = None
    f0_median: Hertz | None = None
    f0_low: Hertz | None = None
    f0_high: Hertz | None = None
    f0_range: Semitones | None = None
    voicing_mean: Share | None = None
    hnr_mean: Decibel | None = None
    hnr_sd: Spread | None = None
    jitter: Ratio | None = None
    shimmer: Ratio | None = None
    centroid_mean: Hertz | None = None
    centroid_sd: Hertz | None = None
    bandwidth_mean: Hertz | None = None
    bandwidth_sd: Hertz | None = None
    rolloff_mean: Hertz | None = None
    rolloff_sd: Hertz | None = None
    flatness_mean: Share | None = None
    flatness_sd: Ratio | None = None
    flux_mean: Ratio | None = None
    flux_sd: Ratio | None = None
    slope_0_500_mean: Slope | None = None
    slope_0_500_sd: SlopeSpread | None = None
    slope_500_1500_mean: Slope | None = None
    slope_500_1500_sd: SlopeSpread | None = None
    alpha_ratio_mean: Decibel | None = None
    alpha_ratio_sd: Spread | None = None
    hammarberg_index_mean: Decibel | None = None
    hammarberg_index_sd: Spread | None = None
    mfcc_mean: Cepstrum | None = None
    mfcc_sd: Cepstrum | None = None
    __rules__: ClassVar = (Ascending("start", "end", strict=True),)
