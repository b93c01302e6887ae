-- Environments beside `main`, which every account has and no row stands for.
create table environment (
  account_id text not null references account (id),
  name text not null check (name <> 'main'),
  description text,
  created_at bigint not null,
  primary key (account_id, name)
);
