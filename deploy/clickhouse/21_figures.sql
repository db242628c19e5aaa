-- Figures out of health. JSONExtract gives zero for what is absent or of another type, so that no odd record can stop the
-- insert into health that feeds these views.
CREATE TABLE IF NOT EXISTS model_quality
(
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    component LowCardinality(String),
    head LowCardinality(String),
    language LowCardinality(String),
    n UInt64,
    right UInt64,
    majority_right UInt64,
    log_loss Float64,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (head, language, received_at)
TTL toDateTime(received_at) + INTERVAL 2 YEAR
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE MATERIALIZED VIEW IF NOT EXISTS model_quality_view TO model_quality AS
SELECT
    at, component,
    JSONExtractString(figures, 'head') AS head,
    JSONExtractString(figures, 'language') AS language,
    JSONExtractUInt(figures, 'n') AS n,
    JSONExtractUInt(figures, 'right') AS right,
    JSONExtractUInt(figures, 'majority_right') AS majority_right,
    JSONExtractFloat(figures, 'log_loss') AS log_loss,
    received_at, _topic, _topic_id, _partition, _offset
FROM health
WHERE code = 'model_quality';

CREATE TABLE IF NOT EXISTS worker_metrics
(
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    component LowCardinality(String),
    role LowCardinality(String),
    worker LowCardinality(String),
    messages UInt64,
    decisions UInt64,
    rate Float64,
    latency_p50_seconds Float64,
    latency_p99_seconds Float64,
    lag_records UInt64,
    lag_seconds Float64,
    memory_bytes UInt64,
    cpu_seconds Float64,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (role, worker, received_at)
TTL toDateTime(received_at) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE MATERIALIZED VIEW IF NOT EXISTS worker_metrics_view TO worker_metrics AS
SELECT
    at, component,
    JSONExtractString(figures, 'role') AS role,
    JSONExtractString(figures, 'worker') AS worker,
    JSONExtractUInt(figures, 'messages') AS messages,
    JSONExtractUInt(figures, 'decisions') AS decisions,
    JSONExtractFloat(figures, 'rate') AS rate,
    JSONExtractFloat(figures, 'latency_p50_seconds') AS latency_p50_seconds,
    JSONExtractFloat(figures, 'latency_p99_seconds') AS latency_p99_seconds,
    JSONExtractUInt(figures, 'lag_records') AS lag_records,
    JSONExtractFloat(figures, 'lag_seconds') AS lag_seconds,
    JSONExtractUInt(figures, 'memory_bytes') AS memory_bytes,
    JSONExtractFloat(figures, 'cpu_seconds') AS cpu_seconds,
    received_at, _topic, _topic_id, _partition, _offset
FROM health
WHERE code = 'worker_metrics';

-- What was predicted of a conversation when its customer said how it went: 2 years, no text.
CREATE TABLE IF NOT EXISTS satisfaction
(
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    conversation_id String,
    message_id String,
    predicted Float64,
    rating Float64,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY received_at
TTL toDateTime(received_at) + INTERVAL 2 YEAR
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

CREATE MATERIALIZED VIEW IF NOT EXISTS satisfaction_view TO satisfaction AS
SELECT
    at,
    JSONExtractString(figures, 'conversation_id') AS conversation_id,
    JSONExtractString(figures, 'message_id') AS message_id,
    JSONExtractFloat(figures, 'predicted') AS predicted,
    JSONExtractFloat(figures, 'rating') AS rating,
    received_at, _topic, _topic_id, _partition, _offset
FROM health
WHERE code = 'satisfaction';
