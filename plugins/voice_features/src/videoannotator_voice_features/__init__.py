"""How voices sound, for videoannotator: loudness, pitch, voicing, jitter, shimmer, spectral measures."""
