local parts = import 'panels.libsonnet';

local datasource = { type: 'prometheus', uid: '$datasource' };
// The instances that are selected, and of them the sources.
local fill(expr) = std.strReplace(
  std.strReplace(expr, '{S', '{job=~"$job", instance=~"$instance", source=~"$source"'),
  '{I',
  '{job=~"$job", instance=~"$instance"'
);

local query(expr, legend) = { expr: fill(expr), legendFormat: legend, range: true, instant: false };
local now(expr, legend) = { expr: fill(expr), legendFormat: legend, range: false, instant: true };

local stat(title, description, unit, targets) =
  parts.panel('stat', title, description, unit, 4, 4, datasource, targets) + parts.stat;
local graph(title, description, unit, targets) =
  parts.panel('timeseries', title, description, unit, 8, 8, datasource, targets) + parts.lines;

{
  local config = $._config,

  grafanaDashboards+:: {
    'dashboard-prometheus.json': parts.dashboard(
      'advisoryd-prometheus',
      'advisoryd',
      'Is advisoryd working, and is its data fresh? From the metrics of advisoryd; the rules of docs/monitoring alert on the same.',
      config.tags,
      [
        parts.datasourceVariable('prometheus'),
        parts.queryVariable('job', 'Job', datasource, 'label_values(advisoryd_build_info, job)', '.+'),
        parts.queryVariable('instance', 'Instance', datasource, 'label_values(advisoryd_build_info{job=~"$job"}, instance)', '.+'),
        parts.queryVariable('source', 'Source', datasource, 'label_values(advisoryd_data_age_seconds{job=~"$job", instance=~"$instance"}, source)', '.*'),
      ],
      [
        parts.row('Now'),
        stat('Database', 'Whether the database answered the last scrape of each instance; the worst.', 'none', [now('min(advisoryd_database_up{I})', 'database')])
        + parts.greenFrom(1)
        + { fieldConfig+: { defaults+: { mappings: [{ type: 'value', options: { '0': { text: 'down', index: 0 }, '1': { text: 'up', index: 1 } } }] } } },
        stat('Stale sources', 'Sources whose data is older than [freshness] allows.', 'none', [now('count(advisoryd_data_age_seconds{S} > advisoryd_freshness_limit_seconds{S}) or vector(0)', 'stale')])
        + parts.redFrom(1),
        stat('Active conditions', 'Problems that advisoryd has found itself; below by name.', 'none', [now('sum(advisoryd_condition{I}) or vector(0)', 'active')])
        + parts.redFrom(1),
        stat('Waiting messages', 'Messages that are not delivered yet, of all sinks.', 'none', [now('sum(advisoryd_alert_deliveries_waiting{I}) or vector(0)', 'waiting')])
        + parts.redFrom(100),
        stat('Dead letters', 'Dead letters of all sinks.', 'none', [now('sum(advisoryd_alert_deliveries_dead_letters{I}) or vector(0)', 'dead letters')])
        + parts.redFrom(1),
        stat('Version', 'Versions of the selected instances. More than one: an upgrade was not finished.', 'none', [now('count by (version) (advisoryd_build_info{I})', '{{version}}')])
        + parts.named,

        parts.row('Freshness'),
        graph('Age of the data', 'Time since the end of the time that was read completely, by source.', 's', [query('max by (source) (advisoryd_data_age_seconds{S})', '{{source}}')]),
        graph('Part of the allowed age', 'Age of the data, as a part of what [freshness] allows for the source. Above 100 % it is stale.', 'percentunit', [query('max by (source) (advisoryd_data_age_seconds{S} / advisoryd_freshness_limit_seconds{S})', '{{source}}')])
        + parts.limit(1),
        parts.panel('stat', 'Last complete run', 'When the last complete run of each source ended. A source that is missing here was never read completely.', 'dateTimeFromNow', 8, 8, datasource, [now('1000 * max by (source) (advisoryd_last_success_timestamp_seconds{S})', '{{source}}')])
        + parts.stat,
        parts.panel('state-timeline', 'Conditions', 'Problems that advisoryd has found itself and that were active at some time: 1 while active. docs/operations.md describes each.', 'none', 16, 8, datasource, [query('max by (what, key) (advisoryd_condition{I})', '{{key}}: {{what}}')])
        + parts.redFrom(1)
        + { options+: { showValue: 'never', mergeValues: true, legend: { displayMode: 'list', placement: 'bottom', showLegend: false } } },
        graph('Failing sources', '1 while the last run of the source failed.', 'none', [query('max by (source) (advisoryd_source_failing{S})', '{{source}}')]),

        parts.row('Advisories and records'),
        graph('Advisories by severity', 'Advisories on the selected sources now. One that is on two lists counts twice.', 'short', [query('sum by (severity) (max by (job, source, severity) (advisoryd_advisories{S}))', '{{severity}}')])
        + parts.stacked + parts.severities,
        graph('Advisories by source', 'Advisories on each watch list and extra feed now.', 'short', [query('sum by (source) (max by (job, source, severity) (advisoryd_advisories{S}))', '{{source}}')]),
        graph('Highly critical and worse', 'Advisories of the two highest severities on each watch list and extra feed now.', 'short', [query('sum by (source) (max by (job, source, severity) (advisoryd_advisories{S, severity=~"extremely_critical|highly_critical"}))', '{{source}}')]),
        graph('Records received', 'Records per second, by result.', 'cps', [query('sum by (kind) (rate(advisoryd_records_total{S}[$__rate_interval]))', '{{kind}}')]),
        graph('Quarantine', 'Records that could not be parsed, by source.', 'short', [query('max by (source) (advisoryd_quarantine_records{S})', '{{source}}')]),
        graph('Coverage gaps', 'Gaps in the covered time, by source.', 'short', [query('max by (source) (advisoryd_coverage_gaps{S})', '{{source}}')]),

        parts.row('Runs'),
        graph('Runs', 'Runs per second that ended, by outcome.', 'ops', [query('sum by (outcome) (rate(advisoryd_runs_total{S}[$__rate_interval]))', '{{outcome}}')]),
        graph('Duration of runs', 'The 95th percentile by source. Nothing is shown while no run ends.', 's', [query('histogram_quantile(0.95, sum by (le, source) (rate(advisoryd_run_duration_seconds_bucket{S}[$__rate_interval])))', '{{source}}')]),
        graph('Received', 'Bytes per second from upstream, after decompression, by source.', 'Bps', [query('sum by (source) (rate(advisoryd_received_bytes_total{S}[$__rate_interval]))', '{{source}}')]),

        parts.row('Upstream'),
        graph('Requests', 'Requests per second, retries, and responses with status 429.', 'reqps', [
          query('sum(rate(advisoryd_upstream_requests_total{I}[$__rate_interval]))', 'requests'),
          query('sum(rate(advisoryd_upstream_retries_total{I}[$__rate_interval]))', 'retries'),
          query('sum(rate(advisoryd_upstream_throttled_total{I}[$__rate_interval]))', 'throttled (429)'),
        ]),
        graph('Request budget left', 'Part of the requests allowed in 24 hours that is left. Nothing is shown without a limit in the configuration.', 'percentunit', [query('min by (budget) (advisoryd_request_budget_remaining_requests{I} / advisoryd_request_budget_requests{I})', '{{budget}}')])
        + { fieldConfig+: { defaults+: { max: 1 } } },
        graph('Clock offset', "Upstream's clock minus the clock of the machine.", 's', [query('advisoryd_upstream_clock_offset_seconds{I}', '{{instance}}')])
        + parts.signed,
        graph('Fetch queue', 'Advisory details that are pending, and those that upstream does not have.', 'short', [
          query('max(advisoryd_details_wanted{I})', 'pending'),
          query('max(advisoryd_details_unavailable{I})', 'unavailable'),
        ]),
        graph('Age of the fetch queue', 'How long the oldest pending detail waits.', 's', [query('max(advisoryd_details_oldest_wanted_seconds{I})', 'oldest')]),
        graph('Drift', 'Records per second that upstream changed without a new modification date, found by reconciliation.', 'cps', [query('sum by (source) (rate(advisoryd_reconcile_drift_total{S}[$__rate_interval]))', '{{source}}')]),

        parts.row('Alerts'),
        graph('Alerts created', 'Alerts per second, of all rules and about advisoryd itself.', 'ops', [query('sum(rate(advisoryd_alerts_raised_total{I}[$__rate_interval]))', 'alerts')]),
        graph('Delivery attempts', 'Attempts per second, by sink and outcome.', 'ops', [query('sum by (sink, outcome) (rate(advisoryd_alert_deliveries_total{I}[$__rate_interval]))', '{{sink}} {{outcome}}')]),
        graph('Failed attempts', 'Failed attempts per second, by sink and reason.', 'ops', [query('sum by (sink, reason) (rate(advisoryd_alert_delivery_failures_total{I}[$__rate_interval]))', '{{sink}} {{reason}}')]),
        graph('Waiting messages by sink', 'Messages that are not delivered yet, including those that still gather alerts.', 'short', [query('max by (sink) (advisoryd_alert_deliveries_waiting{I})', '{{sink}}')]),
        graph('Oldest waiting message', 'How long the oldest undelivered message of each sink waits.', 's', [query('max by (sink) (advisoryd_alert_deliveries_oldest_waiting_seconds{I})', '{{sink}}')])
        + parts.limit(config.deliverySeconds),
        graph('Duration of deliveries', 'The 95th percentile by sink. Nothing is shown while nothing is sent.', 's', [query('histogram_quantile(0.95, sum by (le, sink) (rate(advisoryd_alert_delivery_duration_seconds_bucket{I}[$__rate_interval])))', '{{sink}}')]),
        graph('Consecutive failures', 'Failed attempts of each sink since its last success.', 'short', [query('max by (sink) (advisoryd_sink_consecutive_failures{I})', '{{sink}}')])
        + parts.limit(config.sinkFailures),
        graph('Evaluation lag', 'How long the oldest change waits for its evaluation by the rules.', 's', [query('max(advisoryd_alert_evaluation_lag_seconds{I})', 'oldest change')])
        + parts.limit(config.evaluationSeconds),

        parts.row('Process'),
        graph('Uptime', 'Time since each instance started.', 's', [query('time() - process_start_time_seconds{I}', '{{instance}}')]),
        parts.panel('stat', 'Configuration', '1 if the configuration was accepted when it was last loaded, 0 if the one before is still in use.', 'none', 8, 8, datasource, [now('advisoryd_config_last_reload_successful{I}', '{{instance}}')])
        + parts.stat + parts.greenFrom(1),
        graph('Configurations in use', 'Number of different configurations of the selected instances.', 'none', [query('count(count_values("hash", advisoryd_config_hash{I}))', 'configurations')]),
      ]
    ),
  },
}
