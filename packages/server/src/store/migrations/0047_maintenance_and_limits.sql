-- Machines that get no new runners and let go of those that they have, until somebody says otherwise.
create table machine_maintenance (
  machine_id text primary key,
  since bigint not null,
  -- What still runs there then is killed. Null: it may take as long as it needs.
  deadline bigint,
  -- Why, for people.
  message text
);

-- What an account may spend in a month, by the operator's prices. Null: any amount.
alter table account add column monthly_limit double precision;

-- The last decisions about the runners of each app, with what they followed from: what happened before a restart.
create table decision (
  app_id text not null references app (id),
  first_at bigint not null,
  -- A KeptDecision, as JSON.
  kept text not null,
  primary key (app_id, first_at)
);
