-- What a message waits for.

alter table advisoryd.message add column held_by text;
comment on column advisoryd.message.held_by is 'The digest or the mute times for which it waits, in words; null if it waits for none, and of messages that were opened before this column existed.';
comment on column advisoryd.delivery.parts_done is 'How many alerts of the message the receiver has accepted, of a sink whose messages can be divided into several requests. The next attempt continues there.';
