-- Whether what a source brought was news, decided when it is stored: the first load of one
-- source may bring an advisory that another one, which was read before, brings minutes later.

alter table advisoryd.change add column is_news boolean not null default false;

comment on column advisoryd.change.is_news is 'Set for `appeared` if the source was read completely before, so that it is no first load; for `joined_watch_list` if in addition the list joins it in the first run that could contain it since another source brought it. False for changes stored before this column existed.';
