-- When the app's answer was over, or the last attempt was; the outcome is stored after that.
alter table request add column answered_at bigint;
-- When the attempt that follows one that failed may begin.
alter table attempt add column retry_at bigint;
-- When it was handed to the backend, and when its program ran.
alter table runner add column started_at bigint;
alter table runner add column launched_at bigint;
