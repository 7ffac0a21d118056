"""The ``videoannotator`` command (extra ``cli``).

Results and paths go to standard output, everything said on the way to standard error. Exit codes: 0 all is
well, 1 something failed and the rest was done, 2 wrong usage, 130 interrupted.
"""
