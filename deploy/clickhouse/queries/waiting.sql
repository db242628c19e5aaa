-- Conversations that wait for a person, the longest first: a flagged message by its current decision, with no turn of an agent or a
-- moderator and no `resolved` after it. `handoff`: the last reason why a person should take over, where there is one.
WITH
    spoken AS
    (
        SELECT customer_id, conversation_id, maxIf(sent_at, author_role IN ('agent', 'moderator')) AS at
        FROM messages
        GROUP BY customer_id, conversation_id
    ),
    resolved AS
    (
        SELECT message_id, max(at) AS at
        FROM actions
        WHERE kind IN ('resolved', 'answered') AND undoes = '' AND id NOT IN (SELECT undoes FROM actions WHERE undoes != '')
        GROUP BY message_id
    ),
    handed AS
    (
        SELECT conversation_id, argMax(trigger, received_at) AS trigger, argMax(satisfaction, received_at) AS satisfaction
        FROM handoffs
        GROUP BY conversation_id
    )
SELECT
    d.conversation_id AS conversation_id,
    any(d.customer_id) AS customer_id,
    min(d.sent_at) AS waits_since,
    min(d.priority) AS priority,
    argMin(d.channel, d.sent_at) AS channel,
    count() AS messages,
    any(h.trigger) AS handoff,
    any(h.satisfaction) AS satisfaction
FROM current_decisions AS d
LEFT JOIN spoken AS s ON s.customer_id = d.customer_id AND s.conversation_id = d.conversation_id
LEFT JOIN resolved AS r ON r.message_id = d.message_id
LEFT JOIN handed AS h ON h.conversation_id = d.conversation_id
WHERE d.priority IN ('p0', 'p1', 'p2') AND d.sent_at > s.at AND d.sent_at > r.at
GROUP BY d.conversation_id
ORDER BY priority, waits_since
LIMIT 100
