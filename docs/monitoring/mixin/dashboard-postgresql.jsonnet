// dashboard-postgresql.json; see `make monitoring`.
(import 'mixin.libsonnet').grafanaDashboards['dashboard-postgresql.json']
