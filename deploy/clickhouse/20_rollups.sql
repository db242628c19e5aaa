-- Decisions as made, counted by minute and by hour of received_at; never rewritten. Read them with sum() and -Merge:
-- SELECT sum(decisions), uniqMerge(customers), quantilesTDigestMerge(0.5, 0.9, 0.99)(seconds), avgMerge(sentiment)
-- seconds: from received_at to decided_at. superseding: the decision replaced an earlier one of its message.
-- The views' targets need the deduplication window as much as their source does.
CREATE TABLE IF NOT EXISTS decisions_1m
(
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    priority LowCardinality(String),
    status LowCardinality(String),
    category LowCardinality(String),
    channel LowCardinality(String),
    language LowCardinality(String),
    decided_by LowCardinality(String),
    route LowCardinality(String),
    superseding Bool,
    decisions SimpleAggregateFunction(sum, UInt64),
    automation_allowed SimpleAggregateFunction(sum, UInt64),
    negative SimpleAggregateFunction(sum, UInt64),
    positive SimpleAggregateFunction(sum, UInt64),
    angry SimpleAggregateFunction(sum, UInt64),
    customers AggregateFunction(uniq, String),
    messages AggregateFunction(uniq, String),
    seconds AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99), Float64),
    sentiment AggregateFunction(avg, Nullable(Float64))
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(minute)
ORDER BY (priority, minute, status, decided_by, category, channel, language, route, superseding)
TTL minute + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE MATERIALIZED VIEW IF NOT EXISTS decisions_1m_view TO decisions_1m AS
SELECT
    toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute,
    priority, status, tupleElement(decisions.category, 'label') AS category, channel, language, decided_by, route,
    supersedes != '' AS superseding,
    count() AS decisions,
    sum(automation_allowed) AS automation_allowed,
    countIf(tupleElement(decisions.sentiment, 'label') = 'negative') AS negative,
    countIf(tupleElement(decisions.sentiment, 'label') = 'positive') AS positive,
    countIf(tupleElement(decisions.emotion, 'label') = 'anger') AS angry,
    uniqState(customer_id) AS customers,
    uniqState(message_id) AS messages,
    quantilesTDigestState(0.5, 0.9, 0.99)(greatest(0, toFloat64(decided_at) - toFloat64(received_at))) AS seconds,
    avgState(tupleElement(decisions.sentiment, 'score')) AS sentiment
FROM decisions
GROUP BY minute, priority, status, category, channel, language, decided_by, route, superseding;

CREATE TABLE IF NOT EXISTS decisions_1h
(
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    priority LowCardinality(String),
    status LowCardinality(String),
    category LowCardinality(String),
    channel LowCardinality(String),
    language LowCardinality(String),
    decided_by LowCardinality(String),
    route LowCardinality(String),
    superseding Bool,
    decisions SimpleAggregateFunction(sum, UInt64),
    automation_allowed SimpleAggregateFunction(sum, UInt64),
    negative SimpleAggregateFunction(sum, UInt64),
    positive SimpleAggregateFunction(sum, UInt64),
    angry SimpleAggregateFunction(sum, UInt64),
    customers AggregateFunction(uniq, String),
    messages AggregateFunction(uniq, String),
    seconds AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99), Float64),
    sentiment AggregateFunction(avg, Nullable(Float64))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (priority, hour, status, decided_by, category, channel, language, route, superseding)
TTL hour + INTERVAL 2 YEAR
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE MATERIALIZED VIEW IF NOT EXISTS decisions_1h_view TO decisions_1h AS
SELECT
    toStartOfHour(toDateTime(received_at, 'UTC')) AS hour,
    priority, status, tupleElement(decisions.category, 'label') AS category, channel, language, decided_by, route,
    supersedes != '' AS superseding,
    count() AS decisions,
    sum(automation_allowed) AS automation_allowed,
    countIf(tupleElement(decisions.sentiment, 'label') = 'negative') AS negative,
    countIf(tupleElement(decisions.sentiment, 'label') = 'positive') AS positive,
    countIf(tupleElement(decisions.emotion, 'label') = 'anger') AS angry,
    uniqState(customer_id) AS customers,
    uniqState(message_id) AS messages,
    quantilesTDigestState(0.5, 0.9, 0.99)(greatest(0, toFloat64(decided_at) - toFloat64(received_at))) AS seconds,
    avgState(tupleElement(decisions.sentiment, 'score')) AS sentiment
FROM decisions
GROUP BY hour, priority, status, category, channel, language, decided_by, route, superseding;
