"""Emotions in voices, for videoannotator: Empathic-Insight-Voice on its Whisper encoder."""
