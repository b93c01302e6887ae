create table app (
  id text primary key,
  account_id text not null references account (id),
  name text not null,
  environment text not null,
  auth_mode text not null check (auth_mode in ('private', 'public', 'shared')),
  -- Null until the first rolling deploy has a healthy runner: such an app has no endpoint yet.
  revision_id text,
  -- The scale settings that are live now, JSON.
  scale text not null,
  rolling_revision_id text,
  -- What else changes when the rolling deploy switches: its scale settings (JSON) and its auth mode. Null: stays as it is.
  rolling_scale text,
  rolling_auth_mode text check (rolling_auth_mode in ('private', 'public', 'shared')),
  created_at bigint not null,
  updated_at bigint not null,
  deleted_at bigint
);
-- A deleted app's name is free again.
create unique index app_name on app (account_id, name) where deleted_at is null;

create table revision (
  id text primary key,
  app_id text not null references app (id),
  account_id text not null references account (id),
  -- What the deploy fixed, JSON.
  spec text not null,
  created_at bigint not null
);
-- Serves revisionsOfApp, newest first.
create index revision_of_app on revision (app_id, created_at);

create table runner (
  id text primary key,
  app_id text not null references app (id),
  account_id text not null references account (id),
  revision_id text not null references revision (id),
  machine_type text not null,
  state text not null check (state in ('pending', 'setup', 'serving', 'draining', 'terminated')),
  key_id text,
  created_at bigint not null,
  start_at bigint,
  ready_by bigint,
  ready_at bigint,
  host text,
  port bigint,
  drain_reason text,
  draining_since bigint,
  kill_at bigint,
  end_reason text,
  ended_at bigint,
  exit_code bigint,
  exit_signal text,
  -- What the backend needs to know it again after a crash, JSON.
  handle text,
  check ((state = 'terminated') = (ended_at is not null and end_reason is not null))
);
-- Serves liveRunners: as small as the number of runners that exist.
create index runner_live on runner (app_id) where state <> 'terminated';
-- Serves endedRunnersSince.
create index runner_ended on runner (ended_at) where state = 'terminated';
