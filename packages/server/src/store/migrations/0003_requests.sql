-- State and body are different tables, so that a change of state rewrites a small row.
create table request (
  seq integer primary key autoincrement,
  id text not null unique,
  app_id text not null references app (id),
  key_id text,
  state text not null check (state in ('waiting', 'running', 'completed')),
  priority text not null check (priority in ('normal', 'low')),
  attempt bigint not null default 0,
  due_at bigint not null default 0,
  start_by bigint,
  -- The caller's word on retries and what was used of it, JSON.
  retry text not null,
  used text not null default '{}',
  runner_id text,
  accepted_at bigint not null,
  started_at bigint,
  finished_at bigint,
  status bigint,
  error_code text,
  error_message text,
  cancel_requested_at bigint,
  check ((state = 'completed') = (finished_at is not null and status is not null))
);
-- Serves unfinishedRequests. Holds unfinished rows only, so it stays as small as the backlog.
create index request_unfinished on request (app_id, seq) where state <> 'completed';

create table request_body (
  request_id text primary key,
  method text not null,
  path text not null,
  headers text not null,
  caller_id text not null,
  body bytea,
  blob text,
  length bigint not null
);

create table attempt (
  request_id text not null,
  number bigint not null,
  runner_id text not null,
  started_at bigint not null,
  primary key (request_id, number)
);

create table result (
  request_id text primary key,
  runner_id text,
  headers text not null,
  body bytea,
  blob text,
  length bigint not null
);
