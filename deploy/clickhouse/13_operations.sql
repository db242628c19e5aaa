-- What Tocsin says of itself. topic, partition and offset of a dead letter name the record that could not be read;
-- _topic, _partition and _offset the dead letter.
CREATE TABLE IF NOT EXISTS dead_letters
(
    topic LowCardinality(String),
    partition UInt64,
    offset UInt64,
    key Nullable(String) CODEC(ZSTD(3)),
    value Nullable(String) CODEC(ZSTD(3)),
    length UInt64,
    sha256 String,
    error LowCardinality(String),
    detail String CODEC(ZSTD(3)),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toDate(received_at)
ORDER BY (error, received_at)
TTL toDateTime(received_at) + INTERVAL 28 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;

-- figures is a JSON object as text: each code has its own.
CREATE TABLE IF NOT EXISTS health
(
    code LowCardinality(String),
    component LowCardinality(String),
    severity LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    where String,
    detail String CODEC(ZSTD(3)),
    figures String CODEC(ZSTD(3)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toDate(received_at)
ORDER BY (code, received_at)
TTL toDateTime(received_at) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;
