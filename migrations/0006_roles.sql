-- Role `advisoryd_reader`: may read schema `advisoryd_v1` and nothing else.
-- Views that later migrations add are covered by the default privileges.

do $$
begin
    if not exists (select from pg_roles where rolname = 'advisoryd_reader') then
        begin
            create role advisoryd_reader nologin;
        exception
            when insufficient_privilege then
                raise notice 'role advisoryd_reader was not created: role % may not create roles. Run as a superuser in this database: create role advisoryd_reader nologin; grant usage on schema advisoryd_v1 to advisoryd_reader; grant select on all tables in schema advisoryd_v1 to advisoryd_reader; alter default privileges for role % in schema advisoryd_v1 grant select on tables to advisoryd_reader;',
                    quote_ident(current_user), quote_ident(current_user);
                return;
            when duplicate_object or unique_violation then
                null; -- created at the same moment by a migration of another database of this server
        end;
    end if;
    grant usage on schema advisoryd_v1 to advisoryd_reader;
    grant select on all tables in schema advisoryd_v1 to advisoryd_reader;
    alter default privileges in schema advisoryd_v1 grant select on tables to advisoryd_reader;
end
$$;
