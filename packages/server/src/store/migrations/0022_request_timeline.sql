-- When the app's answer was over, or the last attempt was; the outcome is stored after that.
alter table request add column answered_at bigint;
-- Of an attempt that others follow: when and how it ended, and when the next may begin.
alter table attempt add column ended_at bigint;
alter table attempt add column ended_as text;
alter table attempt add column retry_at bigint;
-- When it was handed to the backend, and when its program ran.
alter table runner add column started_at bigint;
alter table runner add column launched_at bigint;
