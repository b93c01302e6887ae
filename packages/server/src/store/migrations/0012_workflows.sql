-- A workflow is an app that the platform runs itself: requests, results and names are those of apps, lists of apps leave
-- it out.
alter table app add column kind text not null default 'app' check (kind in ('app', 'workflow'));
