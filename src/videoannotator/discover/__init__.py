"""Which pipelines and formats there are: plugins found through entry points, described by data.

Nothing here imports a pipeline's code until a run needs it.
"""
