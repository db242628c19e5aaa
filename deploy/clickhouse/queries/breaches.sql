-- By hour and priority: decisions that history raised because an answer was nearly late, and those it raised for other reasons.
SELECT
    toStartOfHour(toDateTime(received_at, 'UTC')) AS hour,
    priority,
    countIf(arrayExists(reason -> reason.history = 'breach_near', reasons)) AS nearly_late,
    countIf(NOT arrayExists(reason -> reason.history = 'breach_near', reasons)) AS raised_otherwise
FROM decisions
WHERE decided_by = 'history'
GROUP BY hour, priority
ORDER BY hour, priority
