"""The library in a real Jupyter kernel: progress, the summary of a result, a table, and memory of nothing broken."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from videoannotator.testing.clips import write_clip


def test_a_result_is_shown_in_a_notebook(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=12, rate=12, sound="tone")
    annotate = """
import videoannotator as va
with va.Annotator(['scene_detection', 'voice_activity']) as annotator:
    print(annotator.plan('clip.mp4'))
    result = annotator.annotate('clip.mp4')
result
"""
    cells = [
        annotate,
        "result['scene_detection'].shots",
        "result['scene_detection'].shots.to_pandas()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        {key: text for output in cell.outputs if "data" in output for key, text in output.data.items()}
        for cell in notebook.cells
    ]
    assert "scene_detection" in shown[0]["text/html"]
    assert "<caption>Shot, 1 rows</caption>" in shown[1]["text/html"]
    assert "start_frame" in shown[2]["text/html"]
    printed = "".join(o.text for o in notebook.cells[0].outputs if o.output_type == "stream" and o.name == "stdout")
    assert "sound at 16000 Hz" in printed
