-- How often a ring was right, by the priority it rang at, of those that somebody judged in the last 28 days: confirmed, or overridden
-- with a priority that still rings; with the 95 % interval (Wilson). Few judged: a wide interval, not a bad or a good figure.
WITH
    judged AS
    (
        SELECT
            predicted.priority AS priority,
            kind = 'confirm' OR labels.priority IN ('p0', 'p1', 'p2') AS right
        FROM feedback
        WHERE kind IN ('confirm', 'override') AND predicted.priority IN ('p0', 'p1', 'p2') AND predicted.decided_by != 'human'
            AND received_at > now() - INTERVAL 28 DAY
            AND id NOT IN (SELECT retracts FROM feedback WHERE retracts != '')
    ),
    counted AS
    (
        SELECT priority, count() AS n, countIf(right) AS k, k / n AS share, 1.96 AS z FROM judged GROUP BY priority
    )
SELECT
    priority,
    n AS judged,
    share AS precision,
    (share + z * z / (2 * n) - z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS lowest,
    (share + z * z / (2 * n) + z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS highest
FROM counted
ORDER BY priority
