-- Locks that only this schema's owner can take: rows instead of advisory locks, which
-- every user of a database may take.

create table advisoryd.lease (
    name        text primary key,
    epoch       bigint not null default 0,
    host        text,
    pid         integer,
    machine     text,
    started     bigint,
    acquired_at timestamptz,
    expires_at  timestamptz,
    unique (name, epoch)
);

comment on table advisoryd.lease is 'Who does what only one process may do at a time: read a source, discover watch lists. By the clock of the database.';
comment on column advisoryd.lease.name is '`source N` (N is the id in advisoryd.source) `discovery` or `list contents`.';
comment on column advisoryd.lease.epoch is 'How often the lease was taken: the fencing token. It is part of a key, so that whoever takes the lease waits for the transactions that have locked the row `for key share`.';
comment on column advisoryd.lease.host is 'Name of the machine of the holder.';
comment on column advisoryd.lease.pid is 'Process of the holder.';
comment on column advisoryd.lease.machine is 'Boot and process namespace in which pid is valid. Null if unknown.';
comment on column advisoryd.lease.started is 'When the process started, in clock ticks since the boot.';
comment on column advisoryd.lease.acquired_at is 'When the holder took the lease.';
comment on column advisoryd.lease.expires_at is 'When others may take the lease, unless the holder renews it. Null if nobody holds it; the other columns then say who held it last.';

-- Always empty: transactions lock it as a whole.
create table advisoryd.write_lock ();

comment on table advisoryd.write_lock is 'Always empty. Transactions that write advisories lock it: `row exclusive` beside others, `share row exclusive` alone.';
