-- Daemons say with which configuration and account they work.

alter table advisoryd.daemon add column configuration text;
alter table advisoryd.daemon add column account text;
comment on column advisoryd.daemon.configuration is 'Hash of what it has recorded of its configuration: what is followed, the rules and the sinks. Daemons of one version with different hashes would replace each other''s. Null if an older version runs.';
comment on column advisoryd.daemon.account is 'Keyed hash of its account of upstream, as in budget; null if it sends no requests.';
