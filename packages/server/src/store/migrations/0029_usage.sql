-- What was used, by the hour. Sums outlive the rows of requests and runners that they were made from.
create table usage_sum (
  app_id text not null references app (id),
  -- The hour's beginning.
  hour bigint not null,
  -- '' where the runner was not on record any more.
  revision_id text not null,
  machine_type text not null,
  -- The account that called, '' for somebody without a key. A runner's time is its owner's, less what callers pay for.
  caller_id text not null,
  key_id text not null,
  runner_ms bigint not null,
  gpu_ms bigint not null,
  requests bigint not null,
  -- Hundred-millionths of billable units: whole numbers, also when they are large.
  units double precision not null,
  primary key (app_id, hour, revision_id, machine_type, caller_id, key_id)
);
-- Serves usagePaid.
create index usage_sum_of_caller on usage_sum (caller_id, hour);

-- Up to where requests are in the sums, and when this server was last up with runners.
create table usage_state (
  name text primary key,
  value bigint not null
);
insert into usage_state (name, value) values ('seq', 0), ('up', 0);

-- Requests before that place that are not, or not wholly: `counted` is 1 where only units are missing, said too late.
create table usage_open (
  seq bigint primary key,
  counted bigint not null
);

-- 1 when a runner that has ended is in the sums.
alter table runner add column usage_counted bigint not null default 0;
-- Until when it is known to have lived, where the server went down without ending it.
alter table runner add column known_until bigint;
-- Serves endedUncounted and livingSpans: holds those alone that are in no sum.
create index runner_uncounted on runner (account_id, ended_at) where usage_counted = 0;

-- What a machine type costs, and since when.
create table machine_price (
  machine_type text not null,
  since bigint not null,
  -- Of one runner with so many GPUs, or of one runner without any.
  per_second double precision not null,
  gpus bigint not null,
  primary key (machine_type, since)
);
