-- How many alerts of a message are sent together, after the receiver found more too large.

alter table advisoryd.delivery add column parts_together integer;
comment on column advisoryd.delivery.parts_together is 'How many alerts of the message are sent in one request, since more were too large for the receiver; null: as many as the sink takes. It is stored before the first of them is sent, so that a piece whose response is lost is sent again with the same alerts and id.';
