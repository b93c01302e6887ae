-- After so many seconds of idleness the app's runners are frozen; 0: never. Null: as the installation says.
alter table app add column freeze_after integer;
