"""``videoannotator models`` and its options; what each does is in `videoannotator.shell.weights`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["models"]

models = App(name="models", help="Weights of the installed pipelines: what there is, fetching it, where it is.")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@models.command(name="list")
def models_list(*pipelines: str, json: Flag = False) -> int:
    """List models: name, pipeline, size, licence, whether on this disk, path.

    Parameters
    ----------
    pipelines
        Only those of these pipelines; PIPELINE:BACKEND for one backend of it.
    json
        As JSON.
    """
    from videoannotator.shell.weights import list_models

    return list_models(pipelines, as_json=json)


@models.command(name="fetch")
def models_fetch(
    *names: str, all_: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False
) -> int:
    """Fetch weights that are not on this disk, and check their hashes. Their paths go to standard output.

    Parameters
    ----------
    names
        Pipelines (or PIPELINE:BACKEND), of which the models are fetched that they use without further settings; or
        models by name.
    all_
        Of a pipeline, every model that it declares.
    """
    from videoannotator.shell.weights import fetch_models

    return fetch_models(names, every=all_)


@models.command(name="path")
def models_path(model: str, /) -> int:
    """Print where a model lies on this disk. Exit code 2 when it is not there.

    Parameters
    ----------
    model
        Its name.
    """
    from videoannotator.shell.weights import print_path

    return print_path(model)
