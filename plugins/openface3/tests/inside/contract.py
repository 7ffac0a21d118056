"""Run by the plugin's own interpreter: the contract, with the settings that are given as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from videoannotator.testing.contract import check_pipeline

results = check_pipeline("openface3", Path(sys.argv[1]), config=json.load(sys.stdin))
print(json.dumps({clip: len(result["openface3"].behaviour) for clip, result in results.items()}))
