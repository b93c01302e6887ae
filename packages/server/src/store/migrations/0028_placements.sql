-- Where a runner is, and what is its own there. Null until it is placed.
alter table runner add column machine_id text;
alter table runner add column cpus double precision;
alter table runner add column memory_bytes bigint;
-- Indices on that machine: a JSON array.
alter table runner add column gpus text;
alter table runner add column gpu_count bigint not null default 0;
