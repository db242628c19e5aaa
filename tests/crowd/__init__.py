"""Replays of many messages with waves put into them: what crowd finds, how soon, and what it makes up."""
