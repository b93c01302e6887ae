-- What the owner set of the app's queue, JSON. Null: nothing, so all is as by default.
alter table app add column queue text;
