-- What callers named their submits by, so that one that is sent again is not a second request. Lives as long as the request.
create table idempotency_key (
  app_id text not null,
  caller_id text not null,
  key text not null,
  -- Of the method, the path and the body: SHA-256, hex.
  fingerprint text not null,
  -- Deferred: the name is taken before the request is there, in one commit.
  request_id text not null references request (id) on delete cascade deferrable initially deferred,
  primary key (app_id, caller_id, key)
);
-- Serves the cascade, and the condition of acceptOnce.
create index idempotency_key_request on idempotency_key (request_id);

-- 1 for a dead letter: its last attempt failed in a way that is tried again, and no further attempt was allowed.
alter table request add column dead bigint not null default 0;
-- The request that this one sends again.
alter table request add column retried_from text;

-- How an attempt ended that was followed by another. How the last one ended is the outcome.
alter table attempt add column failed_at bigint;
alter table attempt add column failed_status bigint;
alter table attempt add column failed_code text;

-- Serve endedRequests. Both hold failures only, so that what goes well writes no entry.
create index request_failed on request (app_id, finished_at, seq) where status >= 400;
create index request_dead on request (app_id, finished_at, seq) where dead = 1;
-- Serves retriesOf.
create index request_retried_from on request (retried_from) where retried_from is not null;
