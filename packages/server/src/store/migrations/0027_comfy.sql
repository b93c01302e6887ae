-- Graphs for ComfyUI, kept for clients that save and load them. Nothing here runs them.
create table comfy_workflow (
  account_id text not null references account (id),
  name text not null,
  title text not null,
  workflow text not null,
  is_public bigint not null,
  created_at bigint not null,
  primary key (account_id, name)
);
-- Serves comfyWorkflowsOfAccount.
create index comfy_workflow_listed on comfy_workflow (account_id, created_at, name);
