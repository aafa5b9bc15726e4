"""The lab: replays traces of invocations against policies, and counts cold starts and dollars.

Nothing here ships in a function. Its modules import numpy and numba, and the plot matplotlib: the
extra `lab` installs them.
"""
