-- Identifiers that were made out in a quarantined record without one of its own.

alter table advisoryd.quarantine add column mentioned text[] not null default '{}';
comment on column advisoryd.quarantine.mentioned is 'Identifiers in a record without one of its own that may be it. Their details are requested; once they are stored, the record counts as replaced.';
