local parts = import 'panels.libsonnet';

local datasource = { type: 'grafana-postgresql-datasource', uid: '$datasource' };

local query(format, sql) = { format: format, rawQuery: true, editorMode: 'code', rawSql: sql };

// Advisories on the selected lists. All is 'all', which also has those of extra feeds.
local onLists(said) = |||
  ('all' in ($watch_list) or %s in (
       select m.said
       from advisoryd_v1.advisory_watch_lists m
       where m.left_at is null
         and m.watch_list_id::text in ($watch_list)))
||| % said;
local lists = std.strReplace(std.rstripChars(onLists('a.said'), '\n'), '\n', '\n  ');

local stat(title, description, sql) =
  parts.panel('stat', title, description, 'none', 4, 4, datasource, [query('table', sql)]) + parts.stat;
local table(title, description, width, sql) =
  parts.panel('table', title, description, 'none', width, 9, datasource, [query('table', sql)])
  + { options+: { showHeader: true } };
local perDay(title, description, sql) =
  parts.panel('timeseries', title, description, 'short', 12, 9, datasource, [query('time_series', sql)])
  + parts.lines + parts.bars + parts.stacked;
local bars(title, description, sql) =
  parts.panel('barchart', title, description, 'short', 8, 9, datasource, [query('table', sql)])
  + { options+: { orientation: 'horizontal', legend: { displayMode: 'list', placement: 'bottom', showLegend: false } } };

local column(name, unit) = {
  fieldConfig+: { overrides+: [{ matcher: { id: 'byName', options: name }, properties: [{ id: 'unit', value: unit }] }] },
};

{
  local config = $._config,

  grafanaDashboards+:: {
    'dashboard-postgresql.json': parts.dashboard(
      'advisoryd-postgresql',
      'advisoryd: advisories and tickets',
      'What is stored: advisories, tickets, changes and alerts. Queries the views of advisoryd_v1 as a role that has advisoryd_reader.',
      config.tags,
      [
        parts.datasourceVariable('grafana-postgresql-datasource'),
        parts.queryVariable(
          'watch_list',
          'Watch list',
          datasource,
          'select coalesce(name, id::text) as __text, id::text as __value from advisoryd_v1.watch_lists where configured order by 1',
          "'all'"
        ),
      ],
      [
        parts.row('Advisories'),
        stat('Advisories', 'Advisories that upstream has not rejected, on the selected lists.', |||
          select count(*) as advisories
          from advisoryd_v1.advisories a
          where a.severity_rank is distinct from 0
            and %s
        ||| % lists),
        stat('Highly critical and worse', 'Those of the two highest severities.', |||
          select count(*) as advisories
          from advisoryd_v1.advisories a
          where a.severity_rank >= 4
            and %s
        ||| % lists) + parts.thresholds([{ color: 'orange', value: null }]),
        stat('Exploited before a fix', 'Zero-day advisories, according to upstream.', |||
          select count(*) as advisories
          from advisoryd_v1.advisories a
          where a.is_zero_day
            and not a.is_rejected
            and %s
        ||| % lists) + parts.thresholds([{ color: 'red', value: null }]),
        stat('Revised in the time range', 'Advisories that upstream released or modified in the selected time.', |||
          select count(*) as advisories
          from advisoryd_v1.advisories a
          where $__timeFilter(a.modified_at)
            and %s
        ||| % lists),
        stat('Open tickets', 'Tickets that exist upstream.', |||
          select count(*) as tickets
          from advisoryd_v1.tickets
          where deleted_at is null
        |||),
        stat('Quarantine', 'Records that could not be parsed, of all sources.', |||
          select count(*) as records
          from advisoryd_v1.quarantine
        |||) + parts.redFrom(1),
        bars('By severity', 'Advisories on the selected lists, by severity.', |||
          select a.severity, count(*) as advisories
          from advisoryd_v1.advisories a
          where %s
          group by a.severity, a.severity_rank
          order by a.severity_rank desc nulls last
        ||| % lists),
        bars('By attack vector', 'Advisories that are not rejected, by attack vector.', |||
          select a.attack_vector, count(*) as advisories
          from advisoryd_v1.advisories a
          where not a.is_rejected
            and %s
          group by a.attack_vector
          order by 2 desc
        ||| % lists),
        bars('Products', 'Products with the most advisories of the selected time.', |||
          select p.name as product, count(*) as advisories
          from advisoryd_v1.advisories a
          join advisoryd_v1.advisory_products p on p.said = a.said
          where $__timeFilter(a.modified_at)
            and not a.is_rejected
            and %s
          group by p.name
          order by 2 desc, 1
          limit 15
        ||| % lists),
        // There is an index on modified_at, which is never before released_at.
        perDay('Released', 'Advisories per day of their release, by severity.', |||
          select date_trunc('day', a.released_at) as time, a.severity as metric, count(*) as advisories
          from advisoryd_v1.advisories a
          where $__timeFilter(a.released_at)
            and (a.modified_at >= $__timeFrom() or a.modified_at is null)
            and %s
          group by 1, 2
          order by 1, 2
        ||| % lists) + parts.severities,
        perDay('Changes', 'Changes per day, by kind, of all lists and tickets.', |||
          select date_trunc('day', c.at) as time, c.what as metric, count(*) as changes
          from advisoryd_v1.changes c
          where $__timeFilter(c.at)
          group by 1, 2
          order by 1, 2
        |||),
        table('Latest advisories', 'Released or modified in the selected time, newest first, at most 100.', 24, |||
          select a.said, a.severity, a.title, a.cvss3_score, a.is_zero_day,
                 a.solution_status, array_to_string(a.cves, ', ') as cves,
                 a.released_at, a.modified_at
          from advisoryd_v1.advisories a
          where $__timeFilter(a.modified_at)
            and %s
          order by a.modified_at desc
          limit 100
        ||| % lists),

        parts.row('Tickets'),
        bars('Tickets by status', 'Tickets that exist upstream, by status.', |||
          select coalesce(status, 'none') as status, count(*) as tickets
          from advisoryd_v1.tickets
          where deleted_at is null
          group by 1
          order by 2 desc
        |||),
        table('Latest tickets', 'Modified in the selected time, newest first, at most 100.', 16, |||
          select pretty_id, title, status, priority, assignee, said, modified_at
          from advisoryd_v1.tickets
          where $__timeFilter(modified_at)
            and deleted_at is null
          order by modified_at desc
          limit 100
        |||),

        parts.row('Sources'),
        table('Watch lists', 'How fresh the data of each followed list is, and its last error.', 16, |||
          select id, name, advisories, last_success_at,
                 extract(epoch from data_age)::float8 as data_age, last_error
          from advisoryd_v1.watch_lists
          where configured
          order by data_age desc nulls first
        |||) + column('data_age', 's'),
        table('Active conditions', 'Problems that advisoryd has found itself.', 8, |||
          select key, what, since, summary
          from advisoryd_v1.conditions
          where holds
          order by since desc
        |||),
        table('Failed runs', 'Runs of the selected time that failed, newest first, at most 100.', 16, |||
          select id, job, mode, watch_list_id, extra_feed, started_at, error
          from advisoryd_v1.sync_runs
          where $__timeFilter(started_at)
            and outcome = 'failed'
          order by started_at desc
          limit 100
        |||),
        table('Coverage gaps', 'Times that were not read completely.', 8, |||
          select source, lower(gap) as "from", upper(gap) as "to"
          from advisoryd_v1.coverage
          cross join lateral unnest(gaps) as gap
          order by 2
        |||),
        table('Records in quarantine', 'Newest first, at most 100.', 16, |||
          select id, at, source, key, reason
          from advisoryd_v1.quarantine
          order by id desc
          limit 100
        |||),
        table('Unknown fields', 'Fields that upstream sends and no column is read from, newest first.', 8, |||
          select source, name, first_seen_at
          from advisoryd_v1.unknown_fields
          order by first_seen_at desc
          limit 100
        |||),

        parts.row('Alerts'),
        perDay('Alerts by rule', 'Alerts per day, by rule.', |||
          select date_trunc('day', raised_at) as time, rule as metric, count(*) as alerts
          from advisoryd_v1.alerts
          where $__timeFilter(raised_at)
          group by 1, 2
          order by 1, 2
        |||),
        table('Sinks', 'Receivers of alerts and their state.', 12, |||
          select name, kind, waiting, dead_letters, failures, failing_since, last_success_at, last_error
          from advisoryd_v1.alert_sinks
          where configured
          order by name
        |||),
        table('Latest alerts', 'Alerts of the selected time, newest first, at most 100.', 24, |||
          select raised_at, rule, what, key, severity, state, summary
          from advisoryd_v1.alerts
          where $__timeFilter(raised_at)
          order by raised_at desc
          limit 100
        |||),
      ]
    ) + { time: { from: 'now-30d', to: 'now' }, refresh: '5m' },
  },
}
