-- What an app said that a request was worth, when it said so after its answer.
create table billable_units (
  request_id text primary key,
  -- A decimal number, as it was sent.
  units text not null,
  reported_at bigint not null
);
-- Serves finishedRequests. A request gets its entry when it has ended, so that submitting writes none.
create index request_finished on request (app_id, finished_at, seq) where state = 'completed';
-- Serves runnerSpans.
create index runner_of_app on runner (app_id, created_at);
-- Serves runnerAppOfKey.
create index runner_of_key on runner (key_id) where key_id is not null;
