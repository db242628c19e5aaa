-- The shadow beside the policy and model in force, on the same messages of the last 28 days: how often each rings, at which priority,
-- how often it was right where a person judged (confirmed, or gave a priority), and what it missed; 95 % intervals (Wilson).
-- One row a shadow (its policy's version, its model's base) and priority; `p3` counts what does not ring, `right` there what people left at p3.
WITH
    shadows AS
    (
        SELECT message_id, argMax(priority, (revision, _offset)) AS priority, any(policy_version) AS policy, any(model_version) AS model
        FROM shadow WHERE received_at > now() - INTERVAL 28 DAY GROUP BY message_id
    ),
    actives AS
    (
        -- As triage decided it: what history or people made of it came later, for the shadow too.
        SELECT message_id, argMax(priority, (revision, _offset)) AS priority
        FROM decisions WHERE received_at > now() - INTERVAL 28 DAY AND supersedes = '' GROUP BY message_id
    ),
    words AS
    (
        SELECT
            message_id,
            argMax(if(kind = 'confirm', predicted.priority, labels.priority), (received_at, _offset)) AS priority
        FROM feedback
        WHERE (kind = 'confirm' OR (kind = 'override' AND labels.priority != '')) AND received_at > now() - INTERVAL 28 DAY
            AND id NOT IN (SELECT retracts FROM feedback WHERE retracts != '')
        GROUP BY message_id
    ),
    both AS
    (
        SELECT
            policy AS policy_version,
            splitByChar('@', model)[1] AS base,
            arrayJoin([('active', actives.priority), ('shadow', shadows.priority)]) AS one,
            words.priority AS said
        FROM shadows
        INNER JOIN actives ON actives.message_id = shadows.message_id
        LEFT JOIN words ON words.message_id = shadows.message_id
    ),
    counted AS
    (
        SELECT
            policy_version,
            base,
            one.2 AS priority,
            one.1 AS side,
            count() AS messages,
            countIf(said != '') AS n,
            countIf(said != '' AND (said = 'p3') = (one.2 = 'p3')) AS k,
            if(n = 0, 0, k / n) AS share,
            3.8416 AS zz
        FROM both
        GROUP BY policy_version, base, priority, side
    )
SELECT
    policy_version,
    base,
    priority,
    side,
    messages,
    n AS judged,
    k AS right,
    share,
    if(n = 0, 0, (share + zz / (2 * n) - sqrt(zz) * sqrt(share * (1 - share) / n + zz / (4 * n * n))) / (1 + zz / n)) AS lowest,
    if(n = 0, 1, (share + zz / (2 * n) + sqrt(zz) * sqrt(share * (1 - share) / n + zz / (4 * n * n))) / (1 + zz / n)) AS highest
FROM counted
ORDER BY policy_version, base, priority, side
