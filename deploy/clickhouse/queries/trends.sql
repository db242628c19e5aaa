-- What is talked about more than usual: in the last hour against that hour of the seven days before, and in the last 24 hours against
-- those seven days; by category, safety rule, product and phrase (a word of five letters at least, or two words one of which is), as
-- shares of all messages: how many times the usual, with its 95 % interval (of two Poisson counts), how many people, and some of the
-- messages behind it. Fewer than ten: `small`, and the interval says how little is known.
-- This needs the right to read texts, which the dashboards' user has not; themes.sql does without.
WITH
    lately AS
    (
        SELECT
            d.message_id AS message_id,
            d.customer_id AS customer_id,
            greatest(dateDiff('second', d.received_at, now64(3)), 0) AS age,
            arrayFilter(one -> one.2 OR one.3, [
                ('hour', age < 3600, age >= 86400 AND age % 86400 < 3600),
                ('day', age < 86400, age >= 86400)
            ]) AS spans,
            d.category.label AS category,
            arrayDistinct(arrayMap(r -> toString(r.floor), arrayFilter(r -> r.floor != '', d.reasons))) AS floors,
            m.attributes['product'] AS product,
            splitByNonAlpha(lowerUTF8(substringUTF8(m.text, 1, 2000))) AS every,
            arrayFilter(w -> lengthUTF8(w) > 4, every) AS words,
            arrayFilter(
                pair -> lengthUTF8(pair.1) > 4 OR lengthUTF8(pair.2) > 4, arrayZip(arrayPopBack(every), arrayPopFront(every))
            ) AS pairs,
            arrayDistinct(arrayConcat(words, arrayMap(pair -> concat(pair.1, ' ', pair.2), pairs))) AS phrases
        FROM decisions AS d
        LEFT ANY JOIN (SELECT id, text, attributes FROM messages WHERE received_at > now() - INTERVAL 8 DAY) AS m
            ON m.id = d.message_id
        WHERE d.received_at > now() - INTERVAL 8 DAY AND d.supersedes = ''
    ),
    spanned AS (SELECT *, arrayJoin(spans) AS one, one.1 AS span, one.2 AS now_ FROM lately),
    total AS (SELECT span, countIf(now_) AS today, countIf(NOT now_) AS before FROM spanned GROUP BY span),
    topics AS
    (
        SELECT 'category' AS by, category AS topic, span, now_, message_id, customer_id FROM spanned WHERE category != ''
        UNION ALL SELECT 'rule', arrayJoin(floors), span, now_, message_id, customer_id FROM spanned
        UNION ALL SELECT 'product', product, span, now_, message_id, customer_id FROM spanned WHERE product != ''
        UNION ALL SELECT 'phrase', arrayJoin(phrases), span, now_, message_id, customer_id FROM spanned
    ),
    counted AS
    (
        SELECT
            span,
            by,
            topic,
            countIf(now_) AS n,
            countIf(NOT now_) AS usual_n,
            uniqExactIf(customer_id, now_) AS customers,
            groupArrayIf(5)(message_id, now_) AS examples
        FROM topics
        GROUP BY span, by, topic
        HAVING n >= 3
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
