-- What is talked about more than usual, for boards, which show no customer's words: as trends.sql, by category, safety rule, channel
-- and language, which decisions hold.
WITH
    spanned AS
    (
        SELECT
            message_id,
            customer_id,
            greatest(dateDiff('second', received_at, now64(3)), 0) AS age,
            arrayJoin([
                ('hour', age < 3600, age >= 86400 AND age % 86400 < 3600),
                ('day', age < 86400, age >= 86400)
            ]) AS one,
            one.1 AS span,
            one.2 AS now_,
            arrayConcat(
                [('category', toString(category.label)), ('channel', toString(channel)), ('language', toString(language))],
                arrayMap(r -> ('rule', toString(r.floor)), arrayFilter(r -> r.floor != '', reasons))
            ) AS topics
        FROM decisions
        WHERE received_at > now() - INTERVAL 8 DAY AND supersedes = '' AND (one.2 OR one.3)
    ),
    total AS (SELECT span, countIf(now_) AS today, countIf(NOT now_) AS before FROM spanned GROUP BY span),
    counted AS
    (
        SELECT
            span,
            theme.1 AS by,
            theme.2 AS topic,
            countIf(now_) AS n,
            countIf(NOT now_) AS usual_n,
            uniqExactIf(customer_id, now_) AS customers,
            groupArrayIf(5)(message_id, now_) AS examples
        FROM (SELECT *, arrayJoin(arrayDistinct(topics)) AS theme FROM spanned)
        WHERE theme.2 != ''
        GROUP BY span, theme
        HAVING n > 0
    )
SELECT
    span,
    by,
    topic,
    n,
    customers,
    usual_n * today / greatest(before, 1) AS usual,
    ((n + 0.5) / (today + 1)) / ((usual_n + 0.5) / (before + 1)) AS times,
    times * exp(-1.96 * sqrt(1 / (n + 0.5) + 1 / (usual_n + 0.5))) AS times_at_least,
    times * exp(1.96 * sqrt(1 / (n + 0.5) + 1 / (usual_n + 0.5))) AS times_at_most,
    n < 10 AS small,
    examples
FROM counted
INNER JOIN total USING (span)
ORDER BY span DESC, times_at_least DESC, n DESC, by, topic
LIMIT 100 BY span
