-- How the server itself bears the queue: no lock, no table of ours is read, anybody may ask. Of sessions of other users a login that is no
-- member of pg_read_all_stats sees only that they are there: those are counted apart, or nobody would know that the age is not of all.
WITH sessions AS MATERIALIZED (
    SELECT a.state IS NULL AND a.pid <> pg_backend_pid() AS is_hidden,
           extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS open_s,
           (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() AS holds
      FROM pg_stat_activity a WHERE a.datname = current_database()
), tables AS MATERIALIZED (
    SELECT c.oid, c.relname::text AS name
      FROM pg_class c WHERE c.relname = ANY (%(tables)s::text[]) AND c.relkind = 'r' AND c.relnamespace = ANY (current_schemas(false)::regnamespace[])
)
SELECT 'oldest_snapshot_seconds'::text, ''::text, ''::text, greatest(
           (SELECT max(s.open_s) FROM sessions s WHERE s.holds),
           (SELECT max(extract(epoch FROM clock_timestamp() - p.prepared)) FROM pg_prepared_xacts p WHERE p.database = current_database()), 0)
UNION ALL SELECT 'hidden_sessions', '', '', count(*) FROM sessions s WHERE s.is_hidden
UNION ALL SELECT 'notification_queue_share', '', '', pg_notification_queue_usage()
UNION ALL SELECT 'dead_rows', t.name, '', pg_stat_get_dead_tuples(t.oid) FROM tables t
UNION ALL SELECT 'live_rows', t.name, '', pg_stat_get_live_tuples(t.oid) FROM tables t
UNION ALL SELECT 'vacuum_age_seconds', t.name, '', extract(epoch FROM clock_timestamp() - v.at)
            FROM tables t CROSS JOIN LATERAL (SELECT greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid)) AS at) v
           WHERE v.at IS NOT NULL
