-- One row a message: a human's decision that was not retracted, if there is one for its highest revision, else the latest
-- of that revision. "Latest" goes by Kafka's time and offset, not by workers' clocks. The inner query reads a few narrow
-- columns; a filter on the view's other columns is applied where decisions is read.
CREATE VIEW IF NOT EXISTS current_decisions AS
SELECT *
FROM decisions
WHERE (_topic_id, _partition, _offset) IN
(
    SELECT argMax(
        (_topic_id, _partition, _offset),
        (
            revision,
            decided_by = 'human' AND feedback_id NOT IN (SELECT retracts FROM feedback WHERE kind = 'retract'),
            _timestamp,
            _offset
        )
    )
    FROM decisions
    GROUP BY message_id
);
