"""What crowd makes of many messages: what they mean in a few numbers, which are alike, when they are more than usual.

Pure: no clock, no network, no disk but the table of words that ships with it.
"""
