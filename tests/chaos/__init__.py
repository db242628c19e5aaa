"""Nothing lost, nothing twice: the real stack under load, a seeded nemesis, and a verifier that shares no code with it.

`script` says what is sent and what must become of it, `load` sends it, `nemesis` plans faults, `faults` does them on the
`stack` of `worker` processes, `reading` sees what any subscriber sees, `verifier`, `learned`, `rows` and `timing` judge it,
`session` orders a round (`outcome`), `campaign` the rounds, `report` and `picture` show them; `broken` and `clocked` are
workers for the controls and for clocks that jump, `backlog` is a mode of its own.
"""
