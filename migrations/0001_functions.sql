-- Functions used by tables, indexes and views.
--
-- Their bodies are SQL-standard (`return …`), which PostgreSQL parses when the
-- function is created: operators and functions inside are bound then, so the
-- result does not depend on the search_path of the caller.

create function advisoryd.severity_rank(is_rejected boolean, criticality integer)
returns smallint
language sql immutable parallel safe
return (
    case
        when is_rejected then 0
        when criticality between 0 and 5 then (6 - criticality) % 6
    end)::smallint;
comment on function advisoryd.severity_rank is 'Severity as a number, 5 = extremely critical to 1 = not critical, 0 = rejected. Null if the criticality is missing or undocumented.';

create function advisoryd.severity_name(rank smallint)
returns text
language sql immutable parallel safe
return
    case rank
        when 5 then 'extremely_critical'
        when 4 then 'highly_critical'
        when 3 then 'moderately_critical'
        when 2 then 'less_critical'
        when 1 then 'not_critical'
        when 0 then 'rejected'
        else 'unknown'
    end;
comment on function advisoryd.severity_name is 'Name of a severity rank. `model::Severity` has the same names.';

create function advisoryd.is_fixed(solution_status text)
returns boolean
language sql immutable parallel safe
return coalesce(solution_status, 'None') not in ('None', 'No Fix');
comment on function advisoryd.is_fixed is 'Whether a solution status means that a fix or a workaround is available.';

create function advisoryd.content_source(byte_hash bytea, detail_hash bytea)
returns text
language sql immutable parallel safe
return
    case
        when byte_hash is null then 'json'
        when detail_hash is null then 'feed'
        else 'feed+json'
    end;
comment on function advisoryd.content_source is 'Where the columns of an advisory come from, by its fingerprints: feed, json or feed+json.';

create function advisoryd.source_in_words(kind text, watch_list_id bigint, extra_feed text)
returns text
language sql immutable parallel safe
return
    case kind
        when 'watch_list' then 'watch list ' || watch_list_id::text
        when 'extra_feed' then 'extra feed ' || extra_feed
        else kind
    end;
comment on function advisoryd.source_in_words is 'Name of a source as shown to users: watch list 4, extra feed cvrf, tickets, sweep or details.';

create function advisoryd.advisory_text(title text, description text, solution text)
returns tsvector
language sql immutable parallel safe
return to_tsvector(
    'pg_catalog.english'::regconfig,
    left(
        coalesce(title, '') || E'\n' || coalesce(description, '') || E'\n' || coalesce(solution, ''),
        200000));
comment on function advisoryd.advisory_text is 'Text of an advisory for full-text search, cut at 200,000 characters because a tsvector is limited to 1 MiB.';

create function advisoryd.product_text(products jsonb)
returns tsvector
language sql immutable parallel safe
return jsonb_to_tsvector('pg_catalog.simple'::regconfig, products, '["string"]'::jsonb);
comment on function advisoryd.product_text is 'Product names and CPEs for full-text search.';
