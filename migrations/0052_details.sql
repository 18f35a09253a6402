-- Details: times of one revision that differ only because one API writes whole seconds.

create function advisoryd.is_later(one timestamptz, other timestamptz)
returns boolean
language sql stable parallel safe
return
    case
        when date_trunc('second', one) = one or date_trunc('second', other) = other
            then date_trunc('second', one) > date_trunc('second', other)
        else one > other
    end;
comment on function advisoryd.is_later is 'Whether a time of upstream is later than another one. If one of them has no fraction of a second, whole seconds are compared: the feed and the JSON API may write the same time differently. Null if one is null.';
