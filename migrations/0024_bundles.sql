-- Which bundles of `advisoryd mirror` were imported.

create table advisoryd.bundle (
    created_at  timestamptz primary key,
    digest      bytea not null,
    began_at    timestamptz not null,
    imported_at timestamptz
);

comment on table advisoryd.bundle is 'Bundles that were imported where nothing is requested. An older one is refused after a newer one.';
comment on column advisoryd.bundle.created_at is 'When it was begun outside.';
comment on column advisoryd.bundle.digest is 'SHA-256 of its manifest.';
comment on column advisoryd.bundle.began_at is 'When its import began.';
comment on column advisoryd.bundle.imported_at is 'When all of it was imported; null if its import has not ended, or something in it failed.';
