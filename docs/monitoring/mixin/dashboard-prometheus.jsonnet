// dashboard-prometheus.json; see `make monitoring`.
(import 'mixin.libsonnet').grafanaDashboards['dashboard-prometheus.json']
