"""`tocsin try`: what would have rung on messages that somebody exported from another tool.

`figures` counts, `page` says it. Must never: send anything, or keep what it read.
"""
