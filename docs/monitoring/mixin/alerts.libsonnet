{
  local config = $._config,

  // `wait` is how long the expression must hold; null: not at all.
  local alert(name, severity, wait, expr, summary, description) = {
    alert: name,
    expr: std.strReplace(expr, '{S', '{' + config.selector),
    [if wait != null then 'for']: wait,
    labels: { severity: severity },
    annotations: {
      summary: summary,
      description: description,
      runbook_url: config.runbook + '#' + std.asciiLower(name),
    },
  },

  // A condition that advisoryd has found itself.
  local condition(name, severity, what, summary, description) =
    alert(name, severity, null, 'advisoryd_condition{S, what="%s"} == 1' % what, summary, description),

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'advisoryd',
        rules: [
          alert(
            'AdvisorydDown',
            'critical',
            '5m',
            'up{S} == 0',
            'advisoryd on {{ $labels.instance }} cannot be scraped.',
            'Prometheus got no metrics for 5 minutes: the daemon is stopped, or [http] listen cannot be reached. Look at `systemctl status advisoryd` and `journalctl -u advisoryd`.'
          ),
          alert(
            'AdvisorydAbsent',
            'critical',
            '10m',
            'absent(up{S})',
            'Prometheus has no target for advisoryd.',
            'No target has the labels %s: the scrape configuration or its service discovery lost it, or its job has another name.' % config.selector
          ),
          alert(
            'AdvisorydCrashLooping',
            'critical',
            null,
            // An upgrade and a changed setting are fewer restarts than this.
            'changes(process_start_time_seconds{S}[30m]) > 3',
            'advisoryd on {{ $labels.instance }} keeps restarting.',
            'It started {{ $value }} times in 30 minutes. The end of each process says why: `journalctl -u advisoryd -p warning`.'
          ),
          alert(
            'AdvisorydDatabaseDown',
            'critical',
            '10m',
            'advisoryd_database_up{S} == 0',
            'The database of advisoryd on {{ $labels.instance }} does not answer.',
            'Nothing is read, stored or delivered until it answers. `advisoryd status` says what is wrong. If the database is not private, look at its server.'
          ),
          alert(
            'AdvisorydDataStale',
            'critical',
            '10m',
            '(advisoryd_data_age_seconds{S} > advisoryd_freshness_limit_seconds{S}) and advisoryd_last_success_timestamp_seconds{S}',
            'The data of {{ $labels.source }} is stale.',
            'There was no complete run for {{ $value | humanizeDuration }}, longer than [freshness] allows. `advisoryd status` has the last error.'
          ),
          alert(
            'AdvisorydNeverComplete',
            'critical',
            '10m',
            '(advisoryd_data_age_seconds{S} > advisoryd_freshness_limit_seconds{S}) unless advisoryd_last_success_timestamp_seconds{S}',
            '{{ $labels.source }} was never read completely.',
            'It is followed for {{ $value | humanizeDuration }} and no run was complete. `advisoryd status` has the last error.'
          ),
          condition(
            'AdvisorydTokenRejected',
            'critical',
            'token_rejected',
            'Upstream rejects the token.',
            'Nothing can be read. Create a new token in SVR and write it to the token file. If systemd passes the file (LoadCredential=, as in the supplied units), run `systemctl restart advisoryd`; if advisoryd reads it itself ([upstream] token_file), `systemctl reload advisoryd` is enough.'
          ),
          condition(
            'AdvisorydStructureNotRecognised',
            'critical',
            'structure_not_recognised',
            'A document of {{ $labels.key }} was not recognised.',
            'Upstream sends another format than before, or a web page. `advisoryd inspect FILE` shows how a saved document is parsed; [feeds.aliases] maps unknown names.'
          ),
          alert(
            'AdvisorydQuarantine',
            'warning',
            '15m',
            'advisoryd_quarantine_records{S} > 0',
            '{{ $labels.source }} has {{ $value }} records in quarantine.',
            'They could not be parsed and are not among the advisories or tickets. See `advisoryd quarantine list`.'
          ),
          alert(
            'AdvisorydCoverageGap',
            'warning',
            '1d',
            'advisoryd_coverage_gaps{S} > 0',
            'There is a gap in the covered time of {{ $labels.source }}.',
            'The next runs request it again if it is within [feeds] max_days; it is open for a day. `advisoryd status` shows it.'
          ),
          condition(
            'AdvisorydListQuiet',
            'warning',
            'list_quiet',
            '{{ $labels.key }} has become quiet.',
            'It brings far less than usual, or nothing. Check the list and the licence upstream; `advisoryd status` has the numbers.'
          ),
          condition(
            'AdvisorydRemovalsUnconfirmed',
            'warning',
            'removals_unconfirmed',
            'A full pull of {{ $labels.key }} lacks many members.',
            'All stay members until another full pull confirms the loss. If they were removed on purpose, run `advisoryd sync feeds --watch-list ID --full --accept-removals` with the id of the list.'
          ),
          condition(
            'AdvisorydWindowNotHonoured',
            'warning',
            'window_not_honoured',
            'The feed of {{ $labels.key }} does not go back as far as requested.',
            'Older changes are not seen. Lower [feeds] first_days to what upstream sends, or ask the vendor.'
          ),
          condition(
            'AdvisorydDetailsMissing',
            'warning',
            'details_missing',
            'Advisories of {{ $labels.key }} cannot be fetched.',
            'The list is read from the JSON API because its feed cannot be read. `advisoryd status` names both errors; restore access to the feed or to the advisories of the JSON API.'
          ),
          condition(
            'AdvisorydDiscoveryIncomplete',
            'warning',
            'discovery_incomplete',
            'The watch lists of the account are not all known.',
            'Lists that are not known are not followed. `advisoryd status` shows the error; name the lists under [[watch_lists]], or ask the vendor.'
          ),
          condition(
            'AdvisorydListContentsStale',
            'warning',
            'list_contents_stale',
            'What {{ $labels.key }} contains has not been read for a day.',
            'Products that are added upstream are found by the nightly full pull only. `advisoryd status` shows the error.'
          ),
          condition(
            'AdvisorydContentAlternates',
            'info',
            'content_alternates',
            '{{ $labels.key }} sends different contents of an advisory in turn.',
            'Their modification time is the same: servers of upstream disagree. One of them stays, and the others make no versions. Ask the vendor.'
          ),
          condition(
            'AdvisorydFullReadFailed',
            'warning',
            'full_read_failed',
            'No full pull or full scan of {{ $labels.key }} was complete for at least 6 hours.',
            'Advisories that left the list, old ones that were added to it, and tickets that are gone are not known. `advisoryd status` shows the error.'
          ),
          condition(
            'AdvisorydUnknownField',
            'info',
            'unknown_field',
            '{{ $labels.key }} sends a field that advisoryd does not know.',
            'No column is read from it. See advisoryd_v1.unknown_fields; [feeds.aliases] maps it to a field.'
          ),
          condition(
            'AdvisorydRequestBudgetExhausted',
            'warning',
            'request_budget_exhausted',
            'Upstream, or [upstream] requests_per_day, allows no more requests.',
            'Nothing is read until requests are allowed again. Check [upstream] requests_per_day and [feeds] details_per_day, and what else uses the account.'
          ),
          alert(
            'AdvisorydRequestBudgetNearlyUsed',
            'warning',
            '15m',
            // The budget of details is made to be used up each day.
            'advisoryd_request_budget_remaining_requests{S, budget="requests"} < %g * advisoryd_request_budget_requests{S, budget="requests"}' % config.budgetPart,
            'Only {{ $value }} requests of the daily quota are left.',
            '[upstream] requests_per_day is nearly used. When it is, feeds and tickets are not read until requests are a day old. Request less often ([schedule]), or allow more if the account does.'
          ),
          alert(
            'AdvisorydFetchQueueStuck',
            'warning',
            '1h',
            'min_over_time(advisoryd_details_wanted{S}[1d]) > 0 and advisoryd_details_wanted{S} >= advisoryd_details_wanted{S} offset 1d',
            'The fetch queue of details does not become shorter.',
            '{{ $value }} details are pending, no fewer than a day ago. `advisoryd status` has the last error and the forecast; [feeds] details_per_day may be too low.'
          ),
          alert(
            'AdvisorydSinkFailing',
            'critical',
            '5m',
            'advisoryd_sink_consecutive_failures{S} >= %d' % config.sinkFailures,
            'Sink {{ $labels.sink }} does not accept alerts.',
            '{{ $value }} attempts in a row failed. Messages are queued. Test it with `advisoryd alerts test {{ $labels.sink }}`.'
          ),
          alert(
            'AdvisorydDeadLetters',
            'warning',
            '5m',
            'advisoryd_alert_deliveries_dead_letters{S} > 0',
            'Sink {{ $labels.sink }} has dead letters: {{ $value }}.',
            'They will not be sent. See `advisoryd alerts list --state dead_letter`, and send them again with `advisoryd alerts resend`.'
          ),
          alert(
            'AdvisorydDeliveryDelayed',
            'warning',
            '5m',
            'advisoryd_alert_deliveries_oldest_waiting_seconds{S} > %d' % config.deliverySeconds,
            'Messages for sink {{ $labels.sink }} are not delivered.',
            'The oldest waits for {{ $value | humanizeDuration }}. Look at `select * from advisoryd_v1.alert_sinks`, and test the sink with `advisoryd alerts test {{ $labels.sink }}`.'
          ),
          alert(
            'AdvisorydEvaluationDelayed',
            'warning',
            '10m',
            'advisoryd_alert_evaluation_lag_seconds{S} > %d' % config.evaluationSeconds,
            'The rules of advisoryd on {{ $labels.instance }} are not evaluated.',
            'The oldest change waits for {{ $value | humanizeDuration }}. `journalctl -u advisoryd -p warning` says why.'
          ),
          alert(
            'AdvisorydReloadFailed',
            'warning',
            '5m',
            'advisoryd_config_last_reload_successful{S} == 0',
            'advisoryd on {{ $labels.instance }} refused its new configuration.',
            'It runs with the one before. `advisoryd check` lists the errors.'
          ),
          alert(
            'AdvisorydVersionsDiffer',
            'warning',
            '1h',
            'count by (job) (count by (job, version) (advisoryd_build_info{S})) > 1',
            'Instances of advisoryd in job {{ $labels.job }} have {{ $value }} versions.',
            'An upgrade was not finished. Compare `advisoryd --version` on each.'
          ),
          alert(
            'AdvisorydConfigurationsDiffer',
            'warning',
            '1h',
            'count by (job) (count_values by (job) ("hash", advisoryd_config_hash{S})) > 1',
            'Instances of advisoryd in job {{ $labels.job }} have {{ $value }} configurations.',
            'Instances of one database must have the same configuration, or each undoes what the other follows. Compare the files; instances of different accounts belong in different jobs.'
          ),
          alert(
            'AdvisorydClockSkew',
            'warning',
            '10m',
            'abs(advisoryd_upstream_clock_offset_seconds{S}) > %d' % config.clockSkewSeconds,
            'The clocks of advisoryd on {{ $labels.instance }} and of upstream differ.',
            'They differ by {{ $value }} seconds. Runs fail when it is more than a day. Check `timedatectl` on the machine.'
          ),
        ],
      },
    ],
  },
}
