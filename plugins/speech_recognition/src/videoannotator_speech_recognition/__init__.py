"""Speech to text with word times, for videoannotator: Whisper on CTranslate2 or as OpenAI published it."""
