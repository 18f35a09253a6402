// Parts of dashboards.
{
  // `kind` is the plugin of the datasource.
  datasourceVariable(kind):: {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: kind,
    current: {},
    refresh: 1,
    hide: 0,
    includeAll: false,
    multi: false,
    regex: '',
    options: [],
  },

  // A variable that the datasource fills; All is `all`.
  queryVariable(name, label, datasource, query, all=null):: {
    name: name,
    label: label,
    type: 'query',
    datasource: datasource,
    query: query,
    current: if all == null then {} else { selected: true, text: 'All', value: '$__all' },
    refresh: 2,
    sort: 1,
    hide: 0,
    includeAll: all != null,
    [if all != null then 'allValue']: all,
    multi: all != null,
    regex: '',
    options: [],
  },

  dashboard(uid, title, description, tags, variables, panels):: {
    uid: uid,
    title: title,
    description: description,
    tags: tags,
    schemaVersion: 38,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: '1m',
    timezone: 'browser',
    time: { from: 'now-24h', to: 'now' },
    timepicker: {},
    annotations: { list: [] },
    links: [],
    templating: { list: variables },
    panels: $.placed(panels),
  },

  row(title):: { type: 'row', title: title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } },

  // From left to right, and below where the line is full.
  placed(panels)::
    local step(state, panel) =
      local size = panel.gridPos;
      local fits = state.x + size.w <= 24;
      local x = if fits then state.x else 0;
      local y = if fits then state.y else state.y + state.h;
      {
        x: x + size.w,
        y: y,
        h: if fits then std.max(state.h, size.h) else size.h,
        out: state.out + [panel { id: std.length(state.out) + 1, gridPos: size { x: x, y: y } }],
      };
    std.foldl(step, panels, { x: 0, y: 0, h: 0, out: [] }).out,

  // `unit` is one of Grafana's.
  panel(type, title, description, unit, width, height, datasource, targets):: {
    type: type,
    title: title,
    description: description,
    datasource: datasource,
    gridPos: { w: width, h: height },
    fieldConfig: { defaults: { unit: unit, custom: {} }, overrides: [] },
    options: {},
    targets: std.mapWithIndex(function(index, target) target { refId: std.char(65 + index), datasource: datasource }, targets),
  },

  thresholds(steps):: {
    fieldConfig+: { defaults+: { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps: steps } } },
  },

  // Red from `from` on.
  redFrom(from):: $.thresholds([{ color: 'green', value: null }, { color: 'red', value: from }]),

  // Green from `from` on.
  greenFrom(from):: $.thresholds([{ color: 'red', value: null }, { color: 'green', value: from }]),

  stat:: {
    options+: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'none', textMode: 'auto' },
  },

  named:: { options+: { textMode: 'name' } },

  lines:: {
    fieldConfig+: { defaults+: { min: 0, custom+: { drawStyle: 'line', fillOpacity: 10, showPoints: 'never' } } },
    options+: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } },
  },

  signed:: { fieldConfig+: { defaults+: { min: null } } },

  stacked:: {
    fieldConfig+: { defaults+: { custom+: { stacking: { mode: 'normal', group: 'A' }, fillOpacity: 40 } } },
  },

  bars:: { fieldConfig+: { defaults+: { custom+: { drawStyle: 'bars', fillOpacity: 60, lineWidth: 0 } } } },

  // A line where the value is bad.
  limit(value):: {
    fieldConfig+: { defaults+: {
      custom+: { thresholdsStyle: { mode: 'line' } },
      thresholds: { mode: 'absolute', steps: [{ color: 'transparent', value: null }, { color: 'red', value: value }] },
    } },
  },

  // The colours of severities, the same everywhere.
  severities:: {
    fieldConfig+: { overrides+: [
      { matcher: { id: 'byName', options: severity[0] }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: severity[1] } }] }
      for severity in [
        ['extremely_critical', 'dark-red'],
        ['highly_critical', 'red'],
        ['moderately_critical', 'orange'],
        ['less_critical', 'yellow'],
        ['not_critical', 'green'],
        ['rejected', 'text'],
        ['unknown', 'purple'],
      ]
    ] },
  },
}
