"""How likely a customer is to call a conversation good in the end, as it stands.

A fixed, readable sum over what happened, for outcomes are rare and differ from team to team; whether it can be believed is
measured: every `rated` action becomes a row of prediction and outcome (docs/follow.md). Owns: that sum. Pure. Must never: be
shown as a fact.
"""

from __future__ import annotations

import math

from agents.history.conversation import Conversation

PRIOR = 0.6
"""Log-odds before anything was said: most conversations end well enough."""
END, LOW, CHANGE = 1.6, 0.6, 0.5
"""For sentiment of the last turn, the lowest, and from the first to the last."""
BOT_TRY, REPEATED = -0.6, -0.5
"""For each answer of a bot that did not help, and each time the same was said again."""
MOST = 3
"""Of those that count."""


def satisfaction(conversation: Conversation) -> float | None:
    """From 0 to 1; None where no turn has a sentiment."""
    scores = conversation.sentiments
    if not scores:
        return None
    logit = PRIOR + END * scores[-1] + LOW * min(scores) + CHANGE * (scores[-1] - scores[0])
    logit += BOT_TRY * min(conversation.bot_tries, MOST) + REPEATED * min(len(conversation.repeated), MOST)
    return round(1 / (1 + math.exp(-logit)), 3)
