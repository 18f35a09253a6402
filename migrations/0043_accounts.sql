-- Accounts of upstream: what is covered was read with one of them.

create table advisoryd.upstream_account (
    account  text primary key,
    origin   text not null,
    bound_at timestamptz not null
);
comment on table advisoryd.upstream_account is 'Accounts of upstream that this database was read with. The newest is the one that the covered time belongs to: with another one, it begins anew.';
comment on column advisoryd.upstream_account.account is 'Keyed hash of the origin of upstream, whose key is the token, as in budget. Another token of the same account has another one.';
comment on column advisoryd.upstream_account.origin is 'Origin of upstream, such as https://api.app.flexerasoftware.com.';
comment on column advisoryd.upstream_account.bound_at is 'Since when the data is read with it.';
