-- Upstream's names of watch lists that the configuration names by id only.

alter table advisoryd.source add column listed_name text;
alter table advisoryd.source add column listed_at timestamptz;
comment on column advisoryd.source.listed_name is 'Name of the watch list upstream, as last listed; null if it was not listed, and of what is no watch list.';
comment on column advisoryd.source.listed_at is 'When upstream was last asked for that name.';
