-- What a clause required when a verdict was made, where the rule has several tables of `not`.

alter table advisoryd.judged_value add column required text;
comment on column advisoryd.judged_value.required is 'Of `not`: what the table requires that matched, in words; null for other clauses, and for verdicts of earlier versions of advisoryd.';
