-- What watch lists contain, and pending approvals, as upstream has them.

create table advisoryd.mirror (
    watch_list_id bigint not null,
    kind          text not null check (kind in ('vendor', 'product', 'product_release', 'approval')),
    attempted_at  timestamptz,
    read_at       timestamptz,
    changed_at    timestamptz,
    unreadable    bigint not null default 0,
    doubted_at    timestamptz,
    refused_since timestamptz,
    retry_at      timestamptz,
    last_error    text,
    primary key (watch_list_id, kind)
);

comment on table advisoryd.mirror is 'State of each collection that is mirrored: the vendors, products and product releases of a watch list, and the pending approvals of the account.';
comment on column advisoryd.mirror.watch_list_id is 'Id of the watch list upstream; 0 for the pending approvals.';
comment on column advisoryd.mirror.attempted_at is 'When it was last requested. Null before; a kind of collection that was refused for one watch list is not requested for others that were never read.';
comment on column advisoryd.mirror.read_at is 'When it was last read completely.';
comment on column advisoryd.mirror.changed_at is 'When something last came or left, after the first complete read. A change of what a list contains is followed by a full pull.';
comment on column advisoryd.mirror.unreadable is 'Rows of the last read without an id. While there are any, nothing is found to have left.';
comment on column advisoryd.mirror.doubted_at is 'When a complete read first lacked so much that it is not believed yet.';
comment on column advisoryd.mirror.refused_since is 'Since when upstream refuses it (status 403 or 404).';
comment on column advisoryd.mirror.retry_at is 'It is not requested before this time.';

create table advisoryd.list_content (
    watch_list_id bigint not null,
    kind          text not null check (kind in ('vendor', 'product', 'product_release')),
    upstream_id   text not null,
    name          text,
    first_seen_at timestamptz not null,
    left_at       timestamptz,
    away          tstzmultirange,
    primary key (watch_list_id, kind, upstream_id)
);
comment on table advisoryd.list_content is 'What watch lists contain or contained.';

create table advisoryd.pending_approval (
    upstream_id   text primary key,
    watch_list_id bigint,
    watch_list    text,
    said          text,
    title         text,
    raw           text,
    first_seen_at timestamptz not null,
    left_at       timestamptz,
    away          tstzmultirange
);
create index pending_approval_by_said on advisoryd.pending_approval (said);
comment on table advisoryd.pending_approval is 'What awaits or awaited approval upstream.';

comment on table advisoryd.discovery_request is 'Requests sent by discovery and by the mirror of list contents in the last days, counted against the daily limit of the account.';

create view advisoryd_v1.watch_list_products as
select c.watch_list_id,
       c.kind,
       c.upstream_id,
       c.name,
       c.first_seen_at,
       c.left_at,
       c.away
from advisoryd.list_content c;

comment on view advisoryd_v1.watch_list_products is 'What each followed watch list contains, by [schedule] list_contents. What it contains now are the rows with left_at is null. The view mirrors says when each list was read.';
comment on column advisoryd_v1.watch_list_products.watch_list_id is 'Id of the watch list upstream.';
comment on column advisoryd_v1.watch_list_products.kind is 'vendor, product or product_release.';
comment on column advisoryd_v1.watch_list_products.upstream_id is 'Id of the vendor, product or product release upstream.';
comment on column advisoryd_v1.watch_list_products.name is 'Its name, cut to 200 characters; null if upstream sends none.';
comment on column advisoryd_v1.watch_list_products.first_seen_at is 'When it was first found in the list. It may have been added to the list earlier.';
comment on column advisoryd_v1.watch_list_products.left_at is 'When a complete read no longer found it in the list; null while it is in it.';
comment on column advisoryd_v1.watch_list_products.away is 'Earlier periods in which it was not in the list: from leaving to coming back. Null if it has never come back.';

create view advisoryd_v1.pending_approvals as
select a.upstream_id,
       a.watch_list_id,
       a.watch_list,
       a.said,
       a.title,
       a.first_seen_at,
       a.left_at,
       a.away,
       a.raw
from advisoryd.pending_approval a;

comment on view advisoryd_v1.pending_approvals is 'Advisories that await approval upstream (/api/approve-advisories/). Those that await it now are the rows with left_at is null.';
comment on column advisoryd_v1.pending_approvals.upstream_id is 'Id of the approval upstream; if upstream sends none, the watch list and the advisory.';
comment on column advisoryd_v1.pending_approvals.watch_list_id is 'Watch list for which approval is pending; null if upstream does not send it.';
comment on column advisoryd_v1.pending_approvals.watch_list is 'Its name upstream.';
comment on column advisoryd_v1.pending_approvals.said is 'Identifier of the advisory; null if upstream does not send it.';
comment on column advisoryd_v1.pending_approvals.title is 'Title of the advisory, cut to 2000 characters.';
comment on column advisoryd_v1.pending_approvals.first_seen_at is 'When it was first found among the pending approvals.';
comment on column advisoryd_v1.pending_approvals.left_at is 'When a complete read no longer found it: it was approved or rejected. Null while it is pending.';
comment on column advisoryd_v1.pending_approvals.away is 'Earlier periods in which it was not pending. Null if it has never come back.';
comment on column advisoryd_v1.pending_approvals.raw is 'The row as upstream last sent it, as JSON; null if it is longer than 64 kB.';

create view advisoryd_v1.mirrors as
select nullif(m.watch_list_id, 0) as watch_list_id,
       m.kind,
       m.attempted_at as last_attempt_at,
       m.read_at as last_success_at,
       m.changed_at,
       m.unreadable,
       m.refused_since,
       m.retry_at,
       m.last_error
from advisoryd.mirror m;

comment on view advisoryd_v1.mirrors is 'How far watch_list_products and pending_approvals are read, one row per collection of upstream.';
comment on column advisoryd_v1.mirrors.watch_list_id is 'Id of the watch list upstream; null for the pending approvals.';
comment on column advisoryd_v1.mirrors.kind is 'vendor, product, product_release or approval.';
comment on column advisoryd_v1.mirrors.last_attempt_at is 'When it was last requested. Null before; a kind of collection that was refused for one watch list is not requested for others that were never read.';
comment on column advisoryd_v1.mirrors.last_success_at is 'When it was last read completely; null before.';
comment on column advisoryd_v1.mirrors.changed_at is 'When something last came or left, after the first complete read.';
comment on column advisoryd_v1.mirrors.unreadable is 'Rows of the last read without an id. While there are any, nothing is found to have left.';
comment on column advisoryd_v1.mirrors.refused_since is 'Since when upstream refuses it to this account (status 403 or 404); null if it does not.';
comment on column advisoryd_v1.mirrors.retry_at is 'It is not requested before this time; null if at the next scheduled time.';
comment on column advisoryd_v1.mirrors.last_error is 'Why the last read failed; null after a complete one.';
