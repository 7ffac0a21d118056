"""From a file to frames: probing, one decode pass, exact time, the sound.

Nothing here knows which pipelines exist. PyAV is imported by the modules of this package, not by the package.
"""
