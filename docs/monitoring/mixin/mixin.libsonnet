// The monitoring mixin (monitoring.mixins.dev): alerts and dashboards.
(import 'config.libsonnet')
+ (import 'alerts.libsonnet')
+ (import 'prometheus.libsonnet')
+ (import 'postgresql.libsonnet')
