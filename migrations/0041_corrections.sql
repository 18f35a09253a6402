-- Corrections of a feed without a new modification time; conflicting copies that are compared
-- again when a source is no longer followed.

alter table advisoryd.advisory add column corrected text[];
alter table advisoryd.advisory_version add column corrected text[];
comment on column advisoryd.advisory.corrected is 'Fields that the feed has changed since the details were received, without a new modification time: in these the record wins over the details. Null if there are none.';
comment on column advisoryd.advisory_version.corrected is 'The same for this version.';

alter table advisoryd.sighting add column is_undecided boolean;
comment on column advisoryd.sighting.is_undecided is 'True while this conflicting copy is to be compared again, because the source of the current version is no longer followed.';
create index sighting_undecided on advisoryd.sighting (source_id) where is_undecided;
