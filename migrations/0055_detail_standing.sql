-- Details that servers of upstream send in turn, as for records of feeds.

alter table advisoryd.detail add column taken_back_at timestamptz, add column alternates_at timestamptz;
comment on column advisoryd.detail.taken_back_at is 'Since when the last response has the content of taken_back_hash and no other was received. Null if the stored response is the last one.';
comment on column advisoryd.detail.alternates_at is 'When upstream last sent details of the current revision that had been replaced before, after it had done so several times. They are not used.';
create index detail_alternating on advisoryd.detail (alternates_at) where alternates_at is not null;
