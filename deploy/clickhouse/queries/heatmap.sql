-- When people write, and when they are answered: by day of the week (1 Monday) and hour (UTC), over the last 28 days; messages of
-- customers, of those the flagged, and answers of people.
SELECT
    toDayOfWeek(moment) AS day,
    toHour(moment) AS hour,
    sum(written) AS messages,
    sum(rang) AS flagged,
    sum(answered) AS answers
FROM
(
    SELECT toDateTime(received_at, 'UTC') AS moment, 1 AS written, priority != 'p3' AS rang, 0 AS answered
    FROM decisions WHERE supersedes = '' AND received_at > now() - INTERVAL 28 DAY
    UNION ALL
    SELECT toDateTime(received_at, 'UTC'), 0, 0, 1
    FROM messages WHERE author_role IN ('agent', 'moderator') AND received_at > now() - INTERVAL 28 DAY
)
GROUP BY day, hour
ORDER BY day, hour
