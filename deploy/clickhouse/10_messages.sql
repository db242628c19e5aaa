-- What was written, by everybody, with its text: 28 days.
-- Every raw table: one row a Kafka record, which _topic, _partition, _offset and _topic_id name. An insert is told apart
-- from its own retry by a token that only works while non_replicated_deduplication_window (default 0!) remembers it;
-- the replicated_* pair says the same where the server turns MergeTree into a replicated or shared engine.
CREATE TABLE IF NOT EXISTS messages
(
    id String,
    customer_id String,
    text String CODEC(ZSTD(3)),
    subject String CODEC(ZSTD(3)),
    conversation_id String,
    channel LowCardinality(String),
    author_role LowCardinality(String),
    author_name String,
    language LowCardinality(String),
    sent_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    reply_to String,
    url String,
    visibility LowCardinality(String),
    reach Nullable(UInt64),
    attachments Array(Tuple(kind LowCardinality(String), url String)),
    event LowCardinality(String),
    revision UInt32,
    attributes Map(LowCardinality(String), String),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    _topic LowCardinality(String),
    _topic_id LowCardinality(String),
    _partition UInt32,
    _offset UInt64 CODEC(Delta, ZSTD),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_customer customer_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_conversation conversation_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(received_at)
ORDER BY (author_role, received_at)
TTL toDateTime(received_at) + INTERVAL 28 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 2419200;
