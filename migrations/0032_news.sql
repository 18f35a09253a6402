-- Whether what a source brought was news, decided when it is stored: the first load of one
-- source may bring an advisory that another one, which was read before, brings minutes later.

alter table advisoryd.change add column is_news boolean not null default false;

comment on column advisoryd.change.is_news is 'True for `appeared` if the source had been read completely before, so the change does not belong to a first load. True for `joined_watch_list` if, in addition, this run of the list was the first that could contain the advisory since another source sent it. False for changes stored before this column existed.';
