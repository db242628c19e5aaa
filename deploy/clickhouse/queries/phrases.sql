-- Per phrase of a floor: how often it rang in the last 28 days (while texts last), how many of those somebody judged, and how many of
-- them were right. The words are those that customers wrote: this
-- needs the right to read texts, which the dashboards' user has not.
WITH
    rang AS
    (
        SELECT d.message_id AS message_id, r.floor AS floor, lower(substringUTF8(m.text, r.start + 1, r.end - r.start)) AS phrase
        FROM decisions AS d
        ARRAY JOIN d.reasons AS r
        -- Named columns: of a whole table beside ARRAY JOIN, ClickHouse wants the right to all of it.
        INNER JOIN (SELECT id, revision, text, subject FROM messages) AS m ON m.id = d.message_id AND m.revision = d.revision
        WHERE r.floor != '' AND d.priority IN ('p0', 'p1', 'p2') AND d.decided_by IN ('rule', 'model')
            AND m.subject = '' AND d.received_at > now() - INTERVAL 28 DAY
    ),
    judged AS
    (
        SELECT message_id, max(kind = 'confirm' OR labels.priority IN ('p0', 'p1', 'p2')) AS right
        FROM (SELECT id, message_id, kind, labels FROM feedback)
        WHERE (kind = 'confirm' OR (kind = 'override' AND labels.priority != ''))
            AND id NOT IN (SELECT retracts FROM feedback WHERE retracts != '')
        GROUP BY message_id
    )
SELECT
    floor,
    phrase,
    uniqExact(message_id) AS rings,
    uniqExactIf(message_id, message_id IN (SELECT message_id FROM judged)) AS judged,
    uniqExactIf(message_id, message_id IN (SELECT message_id FROM judged WHERE right)) AS right
FROM rang
GROUP BY floor, phrase
ORDER BY rings DESC, phrase
LIMIT 200
