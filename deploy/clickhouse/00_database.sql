-- The database. Its name comes from the URL in TOCSIN_CLICKHOUSE; the other files name none, so that by hand it is
-- clickhouse-client --database tocsin --multiquery < 10_messages.sql
CREATE DATABASE IF NOT EXISTS tocsin;
