-- Customers as they stand now, each with what made it so: at risk, advocates, rising stars, praise to quote, first posts, members
-- who drift away. The last row of a customer counts.
SELECT
    customer_id,
    one.kind AS kind,
    one.score AS score,
    arrayStringConcat(arrayMap(event -> concat(event.kind, ' ', toString(event.weight)), one.events), ', ') AS made_by,
    arrayMap(event -> event.message_id, one.events) AS messages,
    said_at
FROM
(
    SELECT customer_id, argMax(standing, (received_at, _offset)) AS standing, max(received_at) AS said_at
    FROM customers
    GROUP BY customer_id
)
ARRAY JOIN standing AS one
ORDER BY kind, score DESC
LIMIT 200
