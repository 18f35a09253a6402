-- What a record in quarantine is. Until now the program told it by how the reason or the
-- record begins.

alter table advisoryd.quarantine add column kind text;
update advisoryd.quarantine q
set kind = case
        when s.kind = 'tickets' and starts_with(q.reason, 'only a part of the ticket') then 'part_of_ticket'
        when starts_with(q.reason, 'too large to be read') then 'json_beginning'
        when s.kind not in ('watch_list', 'extra_feed') or not starts_with(q.raw, '<') then 'json'
        when q.reason like '%; only its beginning is kept: %' then 'feed_record_beginning'
        else 'feed_record'
    end
from advisoryd.source s
where s.id = q.source_id;
alter table advisoryd.quarantine
    alter column kind set not null,
    add constraint quarantine_kind_check check (kind in (
        'feed_record', 'feed_record_beginning', 'json', 'json_beginning', 'part_of_ticket'));
comment on column advisoryd.quarantine.kind is 'What is kept: `feed_record` (XML), `json` (a row or a response of the JSON API), the beginning of one of them that could not be kept whole, or `part_of_ticket`, a row that lacks what the stored ticket has.';
