-- Whom to tell of a request's outcome. A request without one has no row; a row lives as long as its request.
create table webhook (
  request_id text primary key,
  -- Whose it is: who submitted the request.
  account_id text not null references account (id),
  url text not null,
  host text not null,
  state text not null check (state in ('waiting', 'due', 'delivered', 'failed')),
  -- Deliveries that ended since the outcome, or since it was asked to be sent again.
  attempts bigint not null default 0,
  due_at bigint,
  -- How the last delivery ended.
  tried_at bigint,
  status bigint,
  -- The beginning of what the receiver answered, or why there was no answer.
  said text
);
-- Serves dueWebhooks. Holds what is due only, so it stays as small as the backlog.
create index webhook_due on webhook (due_at) where state = 'due';
-- Serves webhooksOfAccount.
create index webhook_of_account on webhook (account_id, request_id);
