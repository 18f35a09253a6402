-- What a record in quarantine mentions says which advisory it may be, and not which it is.

comment on column advisoryd.quarantine.mentioned is 'Identifiers in a record without one of its own that may be it. Their details are requested; the record stays, since it may be another advisory.';
