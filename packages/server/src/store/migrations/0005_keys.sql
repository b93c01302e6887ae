-- Whom a key was made for: 'person' or 'runner'. People list and revoke their own, never those of runners.
alter table api_key add column holder text not null default 'person';
update api_key set holder = 'runner'
 where alias like 'runner %' and permissions = '["apps:call","account:read"]';

-- A key for everything was stored as the list of all there was, and would not grow with it.
update api_key set permissions = '["*"]'
 where permissions =
   '["apps:read","apps:write","apps:call","runners:read","runners:write","logs:read","account:read"]';
