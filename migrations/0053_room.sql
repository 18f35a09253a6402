-- A source may have so many replaced records: they are counted by source.

create index replaced_record_by_source on advisoryd.replaced_record (source_id);
