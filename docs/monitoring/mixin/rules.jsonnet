// rules.yaml; see `make monitoring`.
local text(value) = std.escapeStringJson(value);

local rule(it) = std.join('', [
  '      - alert: %s\n' % it.alert,
  '        expr: %s\n' % text(it.expr),
  if std.objectHas(it, 'for') then '        for: %s\n' % it['for'] else '',
  '        labels:\n',
  '          severity: %s\n' % it.labels.severity,
  '        annotations:\n',
  '          summary: %s\n' % text(it.annotations.summary),
  '          description: %s\n' % text(it.annotations.description),
  '          runbook_url: %s\n' % text(it.annotations.runbook_url),
]);

local group(it) = '  - name: %s\n    rules:\n' % it.name + std.join('', std.map(rule, it.rules));

'# Alerting rules for advisoryd. `make monitoring` writes this file from mixin/alerts.libsonnet.\n'
+ 'groups:\n'
+ std.join('', std.map(group, (import 'mixin.libsonnet').prometheusAlerts.groups))
