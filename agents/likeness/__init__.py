"""The same question asked before, and what answered it: in bounded memory, without a text."""
