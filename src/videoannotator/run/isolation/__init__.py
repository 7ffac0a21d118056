"""A pipeline in a process of its own: same contract, same rows.

`proxy` is the side of the run, `child` the process, `wire` what they say to each other, `memory` the pixels and sound
they share. Nothing that depends on the version of a library crosses the border: JSON, Arrow IPC, and plain bytes.
"""
