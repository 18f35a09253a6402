-- The clause `where` of rules.

insert into advisoryd.verdict (code, verdict, clause)
values
    (117, 'clause_false', 'where'),
    (217, 'value_missing', 'where');
