-- Handoffs by the hour and trigger, and how soon somebody took the conversation, on any of its messages: NULL where nobody did.
WITH taken AS
(
    SELECT h.id AS id, minIf(a.at, a.at >= h.at) AS at
    FROM handoffs AS h
    INNER JOIN actions AS a ON a.customer_id = h.customer_id
    WHERE a.kind = 'taken' AND a.undoes = '' AND has(h.transcript, a.message_id)
    GROUP BY h.id
)
SELECT
    toStartOfHour(toDateTime(h.received_at, 'UTC')) AS hour,
    h.trigger AS trigger,
    count() AS handoffs,
    countIf(t.at > h.at) AS taken,
    quantileIf(0.5)(dateDiff('second', h.at, t.at), t.at > h.at) AS median_seconds
FROM handoffs AS h
LEFT JOIN taken AS t ON t.id = h.id
GROUP BY hour, trigger
ORDER BY hour, trigger
