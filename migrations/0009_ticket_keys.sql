-- `changes` and `field_changes` name tickets by text, as they name advisories:
-- whoever asks for one ticket there must not read all of them.

create index ticket_by_key on ticket ((id::text));
create index ticket_version_by_key on ticket_version ((id::text), version);
