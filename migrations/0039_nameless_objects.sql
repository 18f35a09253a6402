-- Objects outside that were created by a response without an id: they are remembered, so
-- that no second one is created.

alter table advisoryd.remote_object alter column id drop not null;

comment on column advisoryd.remote_object.id is 'Its id there, from the response to its creation; null if the response had none.';
comment on column advisoryd_v1.remote_objects.id is 'Its id in the other system, such as the key of an issue; null if the response to its creation had none.';
comment on column advisoryd_v1.remote_objects.created_at is 'When it was first stored here.';
