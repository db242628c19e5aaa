-- What was made of messages: 180 days, no text. A reason's words are feature ids here (reasons.contributions.feature), and
-- a floor's phrase is characters start to end of the message's text, while that lasts.
-- An absent head has an empty label and NULL figures; a reason of the other kind has empty fields.
-- received_at is the message's; _timestamp is when Kafka took the decision itself.
CREATE TABLE IF NOT EXISTS decisions
(
    id String,
    message_id String,
    revision UInt64,
    customer_id String,
    conversation_id String,
    channel LowCardinality(String),
    language LowCardinality(String),
    status LowCardinality(String),
    status_reason LowCardinality(String),
    priority LowCardinality(String),
    decided_by LowCardinality(String),
    sentiment Tuple(label LowCardinality(String), score Nullable(Float64), probabilities Map(LowCardinality(String), Float64)),
    urgency Tuple(probability Nullable(Float64)),
    category Tuple(label LowCardinality(String), probabilities Map(LowCardinality(String), Float64)),
    emotion Tuple(label LowCardinality(String), probabilities Map(LowCardinality(String), Float64)),
    spam Tuple(probability Nullable(Float64)),
    abuse Tuple(probability Nullable(Float64)),
    reasons Array(Tuple(
        floor LowCardinality(String), start UInt64, end UInt64,
        head LowCardinality(String), label LowCardinality(String), bias Float64,
        contributions Array(Tuple(feature UInt64, value Float64)), rest Float64, logit Float64,
        history LowCardinality(String), messages Array(String)
    )),
    route LowCardinality(String),
    automation_allowed Bool,
    model_version LowCardinality(String),
    policy_version LowCardinality(String),
    truncated LowCardinality(String),
    corrected Array(LowCardinality(String)),
    sent_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    decided_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    source Tuple(topic LowCardinality(String), partition UInt64, offset UInt64),
    supersedes String,
    feedback_id String,
    _timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_message message_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (priority, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

-- What the role `shadow` would have decided, beside what was: 180 days, no text and no reasons.
CREATE TABLE IF NOT EXISTS shadow
(
    id String,
    message_id String,
    revision UInt64,
    channel LowCardinality(String),
    language LowCardinality(String),
    status LowCardinality(String),
    priority LowCardinality(String),
    decided_by LowCardinality(String),
    category LowCardinality(String),
    route LowCardinality(String),
    automation_allowed Bool,
    model_version LowCardinality(String),
    policy_version LowCardinality(String),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    decided_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (priority, received_at)
TTL toDateTime(received_at) + INTERVAL 180 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;
