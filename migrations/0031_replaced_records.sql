-- Records that left quarantine without being stored, and conflicting copies that were
-- replaced: nothing received is lost.

create table advisoryd.replaced_record (
    id          bigint generated always as identity primary key,
    source_id   integer not null references advisoryd.source,
    key         text,
    reason      text not null,
    raw         text not null,
    received_at timestamptz not null,
    replaced_at timestamptz not null
);
create index replaced_record_by_key on advisoryd.replaced_record (key);
create index replaced_record_by_time on advisoryd.replaced_record (replaced_at);
comment on table advisoryd.replaced_record is 'Records that are in no version: quarantined ones whose advisory or ticket was parsed later from another record, and copies that differed from those of other sources, once the source sends something else.';
comment on column advisoryd.replaced_record.key is 'Identifier of the advisory, or id of the ticket.';
comment on column advisoryd.replaced_record.reason is 'Why it was not stored as a version.';
comment on column advisoryd.replaced_record.received_at is 'When it was first received.';
comment on column advisoryd.replaced_record.replaced_at is 'When the record that replaced it was received.';

create view advisoryd_v1.replaced_records as
select r.id,
       advisoryd.source_in_words(s.kind, s.watch_list_id, s.extra_feed) as source,
       r.key,
       r.reason,
       r.received_at,
       r.replaced_at,
       r.raw
from advisoryd.replaced_record r
join advisoryd.source s on s.id = r.source_id;
comment on view advisoryd_v1.replaced_records is 'Records that were received and are in no version: quarantined ones whose advisory or ticket was parsed later from another record, and conflicting copies that their source replaced.';
comment on column advisoryd_v1.replaced_records.id is 'Increases with time.';
comment on column advisoryd_v1.replaced_records.source is 'Source that sent it, such as watch list 4 or tickets.';
comment on column advisoryd_v1.replaced_records.key is 'Identifier of the advisory, or id of the ticket.';
comment on column advisoryd_v1.replaced_records.reason is 'Why it was not stored as a version.';
comment on column advisoryd_v1.replaced_records.received_at is 'When it was first received.';
comment on column advisoryd_v1.replaced_records.replaced_at is 'When the record that replaced it was received.';
comment on column advisoryd_v1.replaced_records.raw is 'Record as received; bytes that text cannot hold are written as \x00.';

create view advisoryd_v1.conflicting_copies as
select g.said,
       advisoryd.source_in_words(s.kind, s.watch_list_id, s.extra_feed) as source,
       g.first_seen_at,
       g.last_seen_at,
       g.dissent as raw
from advisoryd.sighting g
join advisoryd.source s on s.id = g.source_id
where g.dissent is not null;
comment on view advisoryd_v1.conflicting_copies is 'Records of advisories that differ from the current version of another source.';
comment on column advisoryd_v1.conflicting_copies.said is 'Identifier of the advisory.';
comment on column advisoryd_v1.conflicting_copies.source is 'Source that sends it differently, such as watch list 4.';
comment on column advisoryd_v1.conflicting_copies.first_seen_at is 'When this source first sent the advisory.';
comment on column advisoryd_v1.conflicting_copies.last_seen_at is 'When this source last sent a new record of it.';
comment on column advisoryd_v1.conflicting_copies.raw is 'Record as received from this source.';
