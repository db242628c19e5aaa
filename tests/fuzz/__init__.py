"""Fuzzing: every door through which bytes from elsewhere come in, tried with bytes that nobody would send.

A target is one function from bytes to nothing that raises where a promise is broken. The coverage-guided fuzzer
(`python -m tests.fuzz`), the property tests and the kept findings all run the same targets. docs/fuzzing.md says what was
run and what it found.
"""
