-- The alert budget of the last 28 days: by hour, priority and route, what might ring, what rang, and what was gathered beyond;
-- with the precision of that priority and route and its 95 % interval (Wilson) beside it. No row: nothing was spent.
WITH
    judged AS
    (
        SELECT
            predicted.priority AS priority,
            predicted.route AS route,
            count() AS n,
            countIf(kind = 'confirm' OR labels.priority IN ('p0', 'p1', 'p2')) AS k,
            k / n AS share
        FROM feedback
        WHERE kind IN ('confirm', 'override') AND predicted.priority IN ('p1', 'p2') AND predicted.decided_by != 'human'
            AND received_at > now() - INTERVAL 28 DAY
            AND id NOT IN (SELECT retracts FROM feedback WHERE retracts != '')
        GROUP BY priority, route
    ),
    spent AS
    (
        SELECT
            id,
            toStartOfHour(toDateTime(min(opened_at), 'UTC')) AS hour,
            any(budget.priority) AS priority,
            any(budget.route) AS route,
            max(budget.hourly) AS hourly,
            max(budget.rang) AS rang,
            max(budget.held) AS held
        FROM incidents
        WHERE kind = 'budget' AND received_at > now() - INTERVAL 28 DAY
        GROUP BY id
    )
SELECT
    hour, priority, route, hourly, rang, held,
    n AS judged,
    if(n = 0, NULL, share) AS precision,
    if(n = 0, NULL, (share + 3.8416 / (2 * n) - 1.96 * sqrt(share * (1 - share) / n + 3.8416 / (4 * n * n))) / (1 + 3.8416 / n))
        AS lowest,
    if(n = 0, NULL, (share + 3.8416 / (2 * n) + 1.96 * sqrt(share * (1 - share) / n + 3.8416 / (4 * n * n))) / (1 + 3.8416 / n))
        AS highest
FROM spent
LEFT JOIN judged USING (priority, route)
ORDER BY hour DESC, priority, route
