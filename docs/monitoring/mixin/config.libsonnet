// What an installation may want to change; see README.md.
{
  _config+:: {
    // Selects the instances of advisoryd.
    selector: 'job="advisoryd"',
    // Where the meaning of each alert is described.
    runbook: 'https://github.com/advisoryd/advisoryd/blob/main/docs/monitoring/README.md',
    // Allowed difference between upstream's clock and ours, in seconds.
    clockSkewSeconds: 60,
    // A message may wait so long for its delivery, in seconds.
    deliverySeconds: 3600,
    // A change may wait so long for its evaluation, in seconds.
    evaluationSeconds: 900,
    // The daily quota is nearly used when less than this part is left.
    budgetPart: 0.1,
    // Failed deliveries in a row, as for the condition sink_failing.
    sinkFailures: 4,
    tags: ['advisoryd'],
  },
}
