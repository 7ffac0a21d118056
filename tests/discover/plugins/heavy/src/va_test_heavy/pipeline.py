raise RuntimeError("the catalog must not import pipelines")
