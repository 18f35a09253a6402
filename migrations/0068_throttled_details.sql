-- An advisory whose details are always throttled holds up no others.

alter table advisoryd.wanted_detail
    add column throttled integer not null default 0;

comment on column advisoryd.wanted_detail.throttled is 'How often upstream has answered the request for these details with 429 (too many requests). From the third time on that pauses no other request.';
