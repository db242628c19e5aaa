-- What people said and did: 180 days, no text and no note.
CREATE TABLE IF NOT EXISTS feedback
(
    id String,
    message_id String,
    customer_id String,
    kind LowCardinality(String),
    labels Tuple(
        sentiment LowCardinality(String), urgency Nullable(Bool), category LowCardinality(String),
        emotion LowCardinality(String), spam Nullable(Bool), abuse Nullable(Bool), priority LowCardinality(String)
    ),
    reviewer LowCardinality(String),
    language LowCardinality(String),
    conversation_id String,
    channel LowCardinality(String),
    decision_id String,
    predicted Tuple(
        labels Map(LowCardinality(String), String), priority LowCardinality(String),
        source Tuple(topic LowCardinality(String), partition UInt64, offset UInt64), revision UInt64,
        status LowCardinality(String), decided_by LowCardinality(String), route LowCardinality(String),
        model_version LowCardinality(String), policy_version LowCardinality(String)
    ),
    reason LowCardinality(String),
    retracts String,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (kind, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE TABLE IF NOT EXISTS actions
(
    id String,
    customer_id String,
    message_id String,
    kind LowCardinality(String),
    by LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    decision_id String,
    until Nullable(DateTime64(3, 'UTC')),
    rating Nullable(Float64),
    undoes String,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD),
    INDEX by_message message_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (kind, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

-- Conversations that a person should take over: 180 days, no text; `transcript` names the messages.
CREATE TABLE IF NOT EXISTS handoffs
(
    id String,
    customer_id String,
    conversation_id String,
    message_id String,
    decision_id String,
    trigger LowCardinality(String),
    priority LowCardinality(String),
    route LowCardinality(String),
    transcript Array(String),
    journey Tuple(start Float64, low Float64, end Float64, slope Float64, turns UInt64),
    spoke_last LowCardinality(String),
    bot_tries UInt32,
    repeated Array(String),
    satisfaction Nullable(Float64),
    drill Bool,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD),
    INDEX by_conversation conversation_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (trigger, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

-- Incidents, one row a record of theirs: 180 days. The newest row of an id counts: argMax(..., (received_at, _offset)); `alerts` of
-- all rows together are those that it gathered. Its phrases are words that at least five people used.
CREATE TABLE IF NOT EXISTS incidents
(
    id String,
    kind LowCardinality(String),
    state LowCardinality(String),
    at DateTime64(3, 'UTC'),
    opened_at DateTime64(3, 'UTC'),
    peaked_at Nullable(DateTime64(3, 'UTC')),
    closed_at Nullable(DateTime64(3, 'UTC')),
    first Tuple(
        message_id String, customer_id String, at DateTime64(3, 'UTC'),
        source Tuple(topic LowCardinality(String), partition UInt32, offset UInt64)
    ),
    messages UInt64,
    customers UInt64,
    rate Float64,
    peak Float64,
    usual Tuple(rate Float64, low Float64, high Float64, hours UInt32),
    phrases Array(String),
    categories Map(LowCardinality(String), UInt64),
    channels Map(LowCardinality(String), UInt64),
    languages Map(LowCardinality(String), UInt64),
    priorities Map(LowCardinality(String), UInt64),
    examples Array(String),
    alerts Array(Tuple(message_id String, decision_id String, group String, priority LowCardinality(String))),
    rang UInt64,
    budget Tuple(priority LowCardinality(String), route LowCardinality(String), hourly UInt64, rang UInt64, held UInt64),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (kind, id, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

-- How things stand with customers (at risk, advocate, first post), each with the events that made it, whenever that is written: 180
-- days. The newest row of a customer counts: argMax(standing, (received_at, _offset)).
CREATE TABLE IF NOT EXISTS customers
(
    customer_id String,
    standing Array(Tuple(
        kind LowCardinality(String), score Float64,
        events Array(Tuple(kind LowCardinality(String), at DateTime64(3, 'UTC'), message_id String, weight Float64))
    )),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (customer_id, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;
