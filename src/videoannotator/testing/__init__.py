"""For the authors of pipelines and formats: real small clips, values to test with, and checks every plugin must pass.

Nothing in the library imports this package.
"""
