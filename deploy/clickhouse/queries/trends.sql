-- What is talked about more than usual in the last 24 hours: by category, safety rule, product and word, against the seven days before,
-- as shares of all messages; the ratio with its 95 % interval (of two Poisson counts), and some of the messages behind it. Fewer than
-- ten: `small`, and the interval says how little is known.
WITH
    lately AS
    (
        SELECT
            d.message_id AS message_id,
            d.received_at > now() - INTERVAL 1 DAY AS now_,
            d.category.label AS category,
            arrayDistinct(arrayMap(r -> r.floor, arrayFilter(r -> r.floor != '', d.reasons))) AS floors,
            m.attributes['product'] AS product,
            arrayDistinct(arrayFilter(w -> lengthUTF8(w) > 4, splitByNonAlpha(lowerUTF8(substring(m.text, 1, 2000))))) AS words
        FROM decisions AS d
        LEFT ANY JOIN (SELECT id, text, attributes FROM messages WHERE received_at > now() - INTERVAL 8 DAY) AS m
            ON m.id = d.message_id
        WHERE d.received_at > now() - INTERVAL 8 DAY AND d.supersedes = ''
    ),
    total AS (SELECT countIf(now_) AS today, countIf(NOT now_) AS before FROM lately),
    topics AS
    (
        SELECT 'category' AS by, category AS topic, now_, message_id FROM lately WHERE category != ''
        UNION ALL SELECT 'rule', arrayJoin(floors), now_, message_id FROM lately
        UNION ALL SELECT 'product', product, now_, message_id FROM lately WHERE product != ''
        UNION ALL SELECT 'word', arrayJoin(words), now_, message_id FROM lately
    ),
    counted AS
    (
        SELECT by, topic, countIf(now_) AS n, countIf(NOT now_) AS usual_n, groupArrayIf(5)(message_id, now_) AS examples
        FROM topics GROUP BY by, topic HAVING n >= 3
    )
SELECT
    by,
    topic,
    n,
    usual_n * today / greatest(before, 1) AS usual,
    ((n + 0.5) / (today + 1)) / ((usual_n + 0.5) / (before + 1)) AS times,
    times * exp(-1.96 * sqrt(1 / (n + 0.5) + 1 / (usual_n + 0.5))) AS times_at_least,
    times * exp(1.96 * sqrt(1 / (n + 0.5) + 1 / (usual_n + 0.5))) AS times_at_most,
    n < 10 AS small,
    examples
FROM counted, total
ORDER BY times_at_least DESC, by, topic
LIMIT 100
