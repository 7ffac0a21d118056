"""Who speaks when, for videoannotator: pyannote.audio, and known voices across recordings."""
