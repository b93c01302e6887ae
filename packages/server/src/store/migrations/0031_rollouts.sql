-- Whoever changes which revision an app has takes a turn first: of two at once the one that began last wins, whichever
-- is ready first. The last turn that an account has given out.
alter table account add column deploy_turn bigint not null default 0;
-- The turn of the last change that reached the app: one whose turn came before is superseded.
alter table app add column turn bigint not null default 0;
-- A deploy begins with its build, which is asked for by itself: the turn that the newest build of this environment for
-- an app has taken.
create table begun_deploy (
  account_id text not null references account (id),
  app_name text not null,
  environment_id text not null,
  turn bigint not null,
  begun_at bigint not null,
  primary key (account_id, app_name, environment_id)
);
-- The app of which this one is a single revision, called by its name. Null for all others.
alter table app add column revision_of text references app (id);
-- Serves deleteApp and deleteRevision. Holds nothing of ordinary apps.
create index app_by_revision on app (revision_of) where revision_of is not null;

-- When calls last began to go to it. Null: they never did, or it was before this was noted.
alter table revision add column deployed_at bigint;
-- When its deployment last failed, and why, with the last words of the runner that failed.
alter table revision add column failed_at bigint;
alter table revision add column failure text;
