-- The values that were compared where a rule did not match: names of lists and EPSS scores are
-- others later.

create table advisoryd.judged_value (
    seq     bigint not null references advisoryd.evaluation on delete cascade,
    rule_id integer not null,
    actual  text not null,
    primary key (seq, rule_id)
);
comment on table advisoryd.judged_value is 'Values that `where`, `kev`, `ransomware` or `epss` of a rule were compared with, where that clause was false or unknown. Not for first loads.';
comment on column advisoryd.judged_value.seq is 'The change.';
comment on column advisoryd.judged_value.rule_id is 'The definition of the rule.';
comment on column advisoryd.judged_value.actual is 'In words, as `explain` shows them.';
