-- Every change that somebody asked for. Its id is a UUIDv7, so that ids are in the order of time.
create table event (
  id text primary key,
  account_id text not null references account (id),
  key_id text not null,
  at bigint not null,
  action text not null,
  subject text not null,
  outcome text not null check (outcome in ('begun', 'done', 'failed')),
  -- JSON. No secret, no key, no body of a request.
  detail text not null
);
-- Serves eventsOfAccount.
create index event_of_account on event (account_id, id);

-- Keys made as API before there were uploads and metrics are what API means now.
update api_key
   set permissions = '["apps:call","apps:read","logs:read","account:read","storage:upload","requests:read","metrics:read","files:read","workflows:read"]'
 where permissions = '["apps:call","apps:read","logs:read","account:read"]' and holder = 'person';
