"""A worker in a process of its own: ``python process.py DATA_DIR DATABASE_URL JOBS`` (the jobs' settings as JSON)."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.work.worker import stopping_with_signals, worker_of


def main(data_dir: str, database: str, jobs: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    settings = ServerSettings(data_dir=Path(data_dir), database=database, jobs=Jobs(**json.loads(jobs)))
    works = worker_of(Service.of(settings))
    with stopping_with_signals(works):
        print("here", flush=True)
        works.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
