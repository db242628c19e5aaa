-- One row a conversation whose messages are there (28 days): when the customer first wrote, when a person first answered (a bot's
-- answer is none), when it was last resolved, with the first message's channel, priority and category. NULL: not yet. A query and no
-- view, for a view of messages would need the right to read their text: FROM (this query), or paste it into a panel.
WITH
    conversations AS
    (
        SELECT
            customer_id,
            conversation_id,
            minIf(sent_at, author_role = 'customer') AS asked_at,
            argMinIf(id, sent_at, author_role = 'customer') AS first_message,
            argMinIf(channel, sent_at, author_role = 'customer') AS first_channel,
            arraySort(groupArrayIf(sent_at, author_role IN ('agent', 'moderator'))) AS spoken,
            groupArray(id) AS messages
        FROM messages
        GROUP BY customer_id, conversation_id
        HAVING countIf(author_role = 'customer') > 0
    ),
    resolved AS
    (
        SELECT message_id, max(at) AS at
        FROM actions
        WHERE kind = 'resolved' AND undoes = '' AND id NOT IN (SELECT undoes FROM actions WHERE undoes != '')
        GROUP BY message_id
    ),
    ends AS
    (
        SELECT customer_id, conversation_id, max(r.at) AS resolved_at
        FROM conversations
        ARRAY JOIN messages AS message_id
        INNER JOIN resolved AS r USING (message_id)
        GROUP BY customer_id, conversation_id
    )
SELECT
    c.customer_id AS customer_id,
    c.conversation_id AS conversation_id,
    c.first_channel AS channel,
    d.priority AS priority,
    d.category.label AS category,
    c.asked_at AS asked_at,
    arrayFirst(moment -> moment > c.asked_at, c.spoken) AS first_spoken,
    if(first_spoken > c.asked_at, first_spoken, NULL) AS answered_at,
    if(e.resolved_at > c.asked_at, e.resolved_at, NULL) AS resolved_at,
    dateDiff('millisecond', c.asked_at, answered_at) / 1000 AS answer_seconds,
    if(e.resolved_at > c.asked_at, dateDiff('millisecond', c.asked_at, e.resolved_at) / 1000, NULL) AS resolution_seconds
FROM conversations AS c
LEFT JOIN current_decisions AS d ON d.message_id = c.first_message
LEFT JOIN ends AS e ON e.customer_id = c.customer_id AND e.conversation_id = c.conversation_id
