"""The contenders, each a process of its own that does the same work on the same messages until SIGTERM."""
