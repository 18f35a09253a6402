-- The clause `where` of rules.

insert into advisoryd.verdict (code, verdict, clause)
values
    (118, 'clause_false', 'where'),
    (218, 'value_missing', 'where');
