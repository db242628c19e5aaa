-- What was missed: of the random share of p3 that people were shown (`sample` on the alert; known here by the decision's id) and judged
-- in the last 28 days, how many should have rung, with the 95 % interval (Wilson). {share:Float64} is the policy's `sample`.
WITH
    judged AS
    (
        SELECT kind = 'override' AND labels.priority IN ('p0', 'p1', 'p2') AS missed
        FROM feedback
        WHERE kind IN ('confirm', 'override') AND predicted.priority = 'p3' AND predicted.status = 'scored'
            AND reinterpretAsUInt32(reverse(unhex(substring(decision_id, 1, 8)))) < {share:Float64} * 4294967296
            AND received_at > now() - INTERVAL 28 DAY
            AND id NOT IN (SELECT retracts FROM feedback WHERE retracts != '')
    ),
    counted AS (SELECT count() AS n, countIf(missed) AS k, if(n = 0, 0, k / n) AS share, 3.8416 AS zz FROM judged)
SELECT
    n AS judged,
    k AS missed,
    share,
    if(n = 0, 0, (share + zz / (2 * n) - sqrt(zz) * sqrt(share * (1 - share) / n + zz / (4 * n * n))) / (1 + zz / n)) AS lowest,
    if(n = 0, 1, (share + zz / (2 * n) + sqrt(zz) * sqrt(share * (1 - share) / n + zz / (4 * n * n))) / (1 + zz / n)) AS highest
FROM counted
