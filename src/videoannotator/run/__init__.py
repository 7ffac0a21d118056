"""The engine: plan, devices, runner, and the `Annotator` that people hold in their hands."""
