-- Who may do what in ClickHouse, and no more. Run once, as somebody who may manage access, after putting a password of
-- your own for each user:
-- clickhouse-client --param_init=... --param_recorder=... --param_console=... --param_door=... --param_dashboards=... --queries-file roles.sql
-- `tocsin init` does not run this file; it needs tocsin_init, nothing else does.

CREATE SETTINGS PROFILE IF NOT EXISTS tocsin_dashboards
    SETTINGS readonly = 2, max_execution_time = 30 MAX 60, max_memory_usage = 2000000000 MAX 2000000000, max_result_rows = 1000000;
CREATE QUOTA IF NOT EXISTS tocsin_dashboards FOR INTERVAL 1 minute MAX queries = 600;

CREATE ROLE IF NOT EXISTS tocsin_init;
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW ON tocsin.* TO tocsin_init;
-- A view's maker must be able to read what it reads, and to read and write where it writes.
GRANT SELECT ON tocsin.decisions TO tocsin_init;
GRANT SELECT ON tocsin.feedback TO tocsin_init;
GRANT SELECT ON tocsin.health TO tocsin_init;
GRANT SELECT, INSERT ON tocsin.decisions_1m TO tocsin_init;
GRANT SELECT, INSERT ON tocsin.decisions_1h TO tocsin_init;
GRANT SELECT, INSERT ON tocsin.model_quality TO tocsin_init;
GRANT SELECT, INSERT ON tocsin.worker_metrics TO tocsin_init;
GRANT SELECT, INSERT ON tocsin.satisfaction TO tocsin_init;

CREATE ROLE IF NOT EXISTS tocsin_recorder;
-- The names of all tables: rows that come before a view does would be missing from it for ever.
GRANT SHOW TABLES ON tocsin.* TO tocsin_recorder;
GRANT INSERT ON tocsin.messages TO tocsin_recorder;
GRANT INSERT ON tocsin.decisions TO tocsin_recorder;
GRANT INSERT ON tocsin.feedback TO tocsin_recorder;
GRANT INSERT ON tocsin.actions TO tocsin_recorder;
GRANT INSERT ON tocsin.handoffs TO tocsin_recorder;
GRANT INSERT ON tocsin.shadow TO tocsin_recorder;
GRANT INSERT ON tocsin.incidents TO tocsin_recorder;
GRANT INSERT ON tocsin.customers TO tocsin_recorder;
GRANT INSERT ON tocsin.dead_letters TO tocsin_recorder;
GRANT INSERT ON tocsin.health TO tocsin_recorder;
-- How far each table has come, and nothing of what is in it.
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.messages TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.decisions TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.feedback TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.actions TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.handoffs TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.shadow TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.incidents TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.customers TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.dead_letters TO tocsin_recorder;
GRANT SELECT(_topic_id, _partition, _offset) ON tocsin.health TO tocsin_recorder;
-- The roll-ups' views run with the rights of whoever inserts: what they read (no words, no reasons), and where they write.
GRANT SELECT(received_at, priority, status, category, channel, language, decided_by, route, supersedes, automation_allowed,
    sentiment, emotion, customer_id, message_id, decided_at) ON tocsin.decisions TO tocsin_recorder;
GRANT SELECT(code, at, component, figures, received_at, _topic) ON tocsin.health TO tocsin_recorder;

CREATE ROLE IF NOT EXISTS tocsin_console;
-- What rings comes from Kafka. From here come counts, and what stands beside a message: its conversation, its customer's last weeks.
GRANT SELECT(minute, priority, decisions, superseding) ON tocsin.decisions_1m TO tocsin_console;
GRANT SELECT(hour, priority, category, superseding, decisions, negative, positive, angry) ON tocsin.decisions_1h TO tocsin_console;
GRANT SELECT(id, author_role, author_name, text, subject, event, revision, conversation_id, sent_at, received_at, _offset) ON tocsin.messages
    TO tocsin_console;
GRANT SELECT(message_id, conversation_id, customer_id, priority, decided_by, sentiment, category, revision, feedback_id, reasons,
    received_at, _timestamp, _offset) ON tocsin.decisions TO tocsin_console;
GRANT SELECT(id, message_id, kind, labels, retracts, _offset) ON tocsin.feedback TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.actions TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.handoffs TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.shadow TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.incidents TO tocsin_console;
GRANT SELECT(customer_id, standing, received_at, _offset) ON tocsin.customers TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.dead_letters TO tocsin_console;
GRANT SELECT(_offset) ON tocsin.health TO tocsin_console;

CREATE ROLE IF NOT EXISTS tocsin_door;
-- An agent's word is judged with the message it speaks of.
GRANT SELECT(id, customer_id, text, language, conversation_id, channel, author_role, revision, received_at, _partition)
    ON tocsin.messages TO tocsin_door;
GRANT SELECT(id, message_id, revision, status, priority, decided_by, sentiment, urgency, category, emotion, spam, abuse, route,
    model_version, policy_version, sent_at, received_at, source, feedback_id, _timestamp, _offset) ON tocsin.decisions TO tocsin_door;
GRANT SELECT(kind, message_id, retracts) ON tocsin.feedback TO tocsin_door;

CREATE ROLE IF NOT EXISTS tocsin_dashboards;
-- Of messages only who wrote when, and without the bytes of dead letters: dashboards show no customer's words.
GRANT SHOW TABLES, SHOW COLUMNS ON tocsin.* TO tocsin_dashboards;
GRANT SELECT ON tocsin.decisions TO tocsin_dashboards;
GRANT SELECT ON tocsin.current_decisions TO tocsin_dashboards;
GRANT SELECT(id, customer_id, conversation_id, channel, author_role, sent_at) ON tocsin.messages TO tocsin_dashboards;
GRANT SELECT ON tocsin.decisions_1m TO tocsin_dashboards;
GRANT SELECT ON tocsin.decisions_1h TO tocsin_dashboards;
GRANT SELECT ON tocsin.feedback TO tocsin_dashboards;
GRANT SELECT ON tocsin.actions TO tocsin_dashboards;
GRANT SELECT ON tocsin.handoffs TO tocsin_dashboards;
GRANT SELECT ON tocsin.shadow TO tocsin_dashboards;
GRANT SELECT ON tocsin.incidents TO tocsin_dashboards;
GRANT SELECT ON tocsin.customers TO tocsin_dashboards;
GRANT SELECT(topic, partition, offset, length, error, detail, at, received_at) ON tocsin.dead_letters TO tocsin_dashboards;
GRANT SELECT ON tocsin.health TO tocsin_dashboards;
GRANT SELECT ON tocsin.model_quality TO tocsin_dashboards;
GRANT SELECT ON tocsin.worker_metrics TO tocsin_dashboards;
GRANT SELECT ON tocsin.satisfaction TO tocsin_dashboards;

CREATE USER IF NOT EXISTS tocsin_init IDENTIFIED WITH sha256_password BY {init:String} DEFAULT ROLE tocsin_init;
CREATE USER IF NOT EXISTS tocsin_recorder IDENTIFIED WITH sha256_password BY {recorder:String} DEFAULT ROLE tocsin_recorder;
CREATE USER IF NOT EXISTS tocsin_console IDENTIFIED WITH sha256_password BY {console:String} DEFAULT ROLE tocsin_console;
CREATE USER IF NOT EXISTS tocsin_door IDENTIFIED WITH sha256_password BY {door:String} DEFAULT ROLE tocsin_door;
CREATE USER IF NOT EXISTS tocsin_dashboards IDENTIFIED WITH sha256_password BY {dashboards:String} DEFAULT ROLE tocsin_dashboards
    SETTINGS PROFILE 'tocsin_dashboards';
GRANT tocsin_init TO tocsin_init;
GRANT tocsin_recorder TO tocsin_recorder;
GRANT tocsin_console TO tocsin_console;
GRANT tocsin_door TO tocsin_door;
GRANT tocsin_dashboards TO tocsin_dashboards;
