-- One advisory, one alert: a further watch list within the hour.

insert into advisoryd.verdict (code, verdict, clause)
values (4, 'already_reported', null);
