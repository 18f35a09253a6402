-- Until when changes of tickets are stored, where the cursor is ahead of that because upstream
-- shows new tickets only.

alter table advisoryd.ticket_reading add column changes_until timestamptz;
comment on column advisoryd.ticket_reading.changes_until is 'All changes of older tickets before this time are stored, by upstream''s clock. Before `cursor_at` if windows have shown new tickets only.';

update advisoryd.ticket_reading
set changes_until = case when filter = 'created' then full_walk_at else cursor_at end;
