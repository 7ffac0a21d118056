"""A pipeline that multiplies matrices: what comes of it, in its last bits, and how many threads did it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin

__all__ = ["CATALOG", "Product"]


@va.row
class Product:
    time: float
    values: Annotated[NDArray[np.float32], va.ArrayOf("float32", (None,))]
    threads: Annotated[NDArray[np.int64], va.ArrayOf("int64", (None,))]  # of each library that does linear algebra


class Products(va.Pipeline[Any]):
    """Products of matrices as large as those of a small network."""

    def setup(self) -> None:
        import scipy.linalg  # a second library that does algebra, loaded when the run has long begun

        self._linalg = scipy.linalg

    def finish(self) -> va.Table[Product]:
        from threadpoolctl import threadpool_info

        random = np.random.default_rng(0)
        sound = self.context.audio
        found = random.normal(size=(124, 128)).astype(np.float32) @ random.normal(size=(128, 512)).astype(np.float32)
        solved = self._linalg.solve(found[:, :124].astype(np.float64), found[:, 124:248].astype(np.float64))
        values = np.concatenate([found.ravel(), solved.astype(np.float32).ravel()])
        threads = np.array([p["num_threads"] for p in threadpool_info() if p["internal_api"] == "openblas"])
        return va.Table.of(Product, time=[sound.start], values=[values], threads=[threads])


PRODUCTS = va.PipelineSpec(
    name="products",
    version="1",
    needs=[va.Audio()],
    gives={"products": f"{__name__}:Product"},
    pipeline=f"{__name__}:Products",
    licence="MIT",
)
CATALOG = Catalog({"products": PipelineEntry(PRODUCTS, Plugin("products", "videoannotator", "1"))}, {})
