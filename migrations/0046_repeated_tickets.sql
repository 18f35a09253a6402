-- Rows of one ticket on one page: upstream may count each of them.

alter table advisoryd.ticket_walk_page add column repeats bigint[] not null default '{}';
comment on column advisoryd.ticket_walk_page.repeats is 'The tickets of further rows with the id of an earlier row of the same response, once for each such row.';
